/** Programs that `react` runs, as workers of node:cluster: how they leave, and how they end. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { Started } from '../poetry/programs.ts'

const started = new Started()
afterEach(() => started.end())

/** A primary with two workers that run this program. */
async function cluster(worker: string, ...args: string[]) {
  const source = ['-C', '@couplet/source', '--import', 'tsx', 'test/node/cluster.program.ts']
  const program = started.program(process.execPath, ...source, `test/node/${worker}.program.ts`, ...args)
  const [[, port] = []] = await program.prints(/^listening on 127\.0\.0\.1:(\d+)$/)
  const pids = (await program.prints(/^worker (\d+)$/, 2)).map(([, pid]) => Number(pid))
  const sockets = (count: number): Socket[] => Array.from({ length: count }, () => connect(Number(port), '127.0.0.1'))
  return { program, pids, sockets }
}

describe('a worker of node:cluster', () => {
  it('that leaves hands on to others whom the primary still sends to it', async () => {
    const { program, pids, sockets } = await cluster('cluster-worker', 'patient')
    program.child.kill('SIGSTOP')
    const clients = sockets(50)
    await Promise.all(clients.map((client) => once(client, 'connect')))
    process.kill(pids[0]!, 'SIGTERM')
    await program.prints(/^closed, and still there$/)
    program.child.kill('SIGCONT')
    expect(new Set(await Promise.all(clients.map((client) => text(client))))).toEqual(new Set([String(pids[1])]))
    await program.prints(/^worker ended with 0$/)
  })

  it('is not held up by open ports and connections when main has finished', async () => {
    const { program, sockets } = await cluster('cluster-worker', 'hasty')
    for (const client of sockets(2)) client.resume()
    await program.prints(/^worker ended with 0$/, 2)
    expect(await program.ended).toMatchObject({ code: 0, stderr: '' })
  })

  const lengthOf = async (socket: Socket): Promise<number> => (await text(socket)).length

  it('hears SIGTERM in the middle of 100 poems: all hear the rest, and nothing of it is left', async () => {
    const { program, sockets } = await cluster('poetry-service', 'poet')
    const clients = sockets(100)
    await Promise.all(clients.map((client) => once(client, 'readable')))
    const lengths = Promise.all(clients.map(lengthOf))
    program.child.kill('SIGTERM')
    expect(new Set(await lengths)).toEqual(new Set([40_000]))
    const { code, stdout, stderr } = await program.ended
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.match(/^(left|worker ended).*$/gm)?.toSorted()).toEqual([
      'left: nothing',
      'left: nothing',
      'worker ended with 0',
      'worker ended with 0',
    ])
  })

  it('ends at once at the second SIGTERM, and clients see that they were cut off', async () => {
    const { program, pids, sockets } = await cluster('poetry-service', 'stubborn')
    const clients: Socket[] = []
    // A worker without clients has nothing to be stubborn about, and who is slow gets none.
    for (const serving = new Set<string>(); serving.size < pids.length;) {
      const [client] = sockets(1) as [Socket]
      clients.push(client)
      await once(client, 'readable')
      serving.add(String(client.read()))
    }
    const ends = clients.map((client) => text(client).catch((error: NodeJS.ErrnoException) => error.code))
    program.child.kill('SIGTERM')
    await program.prints(/^told to stop$/, 2)
    for (const pid of pids) process.kill(pid, 'SIGTERM')
    expect(new Set(await Promise.all(ends))).toEqual(new Set(['ECONNRESET']))
    const { code, stdout } = await program.ended
    expect([code, stdout.match(/^worker ended.*$/gm)]).toEqual([0, ['worker ended with 143', 'worker ended with 143']])
  })

  it.each(['SIGTERM', 'SIGKILL'] as const)('does not outlive a primary that ends at once (%s)', async (signal) => {
    const { program, sockets } = await cluster('poetry-service', 'stubborn')
    const clients = sockets(6)
    await Promise.all(clients.map((client) => once(client, 'readable')))
    const ends = clients.map((client) => text(client).catch((error: NodeJS.ErrnoException) => error.code))
    if (signal === 'SIGTERM') {
      program.child.kill('SIGTERM')
      await program.prints(/^told to stop$/, 2)
    }
    program.child.kill(signal)
    expect(new Set(await Promise.all(ends))).toEqual(new Set(['ECONNRESET']))
    // Its output is closed, so the workers have gone, too.
    await program.ended
  })
})
