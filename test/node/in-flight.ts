/** What the kernel has still to carry from one socket of this machine to another. Linux tells; elsewhere nobody knows. */
import { readFileSync } from 'node:fs'

/** A line of the kernel's table: where it is, who its peer is, its state, and what waits there to leave and to be read. */
const line = /^ *\d+: (\S+:(\S{4})) (\S+:(\S{4})) (?!06|0A)\S\S (\S{8}):(\S{8}) /gm

/**
 * Whether something is on its way from or to one of these ports: it was sent and is not acknowledged, by somebody who has
 * read all that came. A sender who heard that there is no room asks again after 200 ms, and until then nothing happens.
 */
export function isInFlight(ports: ReadonlySet<number>): boolean {
  const unread = new Map<string, boolean>()
  const senders: string[] = []
  for (const [, here = '', port = '', there = '', peer = '', sent = '', received = ''] of table().matchAll(line)) {
    if (!ports.has(Number.parseInt(port, 16)) && !ports.has(Number.parseInt(peer, 16))) continue
    unread.set(`${here} ${there}`, Number.parseInt(received, 16) > 0)
    if (Number.parseInt(sent, 16) > 0) senders.push(`${there} ${here}`)
  }
  return senders.some((receiver) => unread.get(receiver) === false)
}

function table(): string {
  return ['/proc/net/tcp', '/proc/net/tcp6']
    .map((file) => {
      try {
        return readFileSync(file, 'latin1')
      } catch {
        return ''
      }
    })
    .join('')
}
