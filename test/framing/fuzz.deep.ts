/**
 * A million inputs for each receiver, most of them bad: nothing is thrown, nothing hangs, and whatever the chunks,
 * the outcome is the same.
 */
import { LineReceiver, type Protocol, TextLineReceiver } from 'couplet'
import { connected } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { fromLatin1, toLatin1 } from './line-model.ts'
import { formats } from './string-model.ts'

const runs = 1_000_000

/** Numbers below `limit` that look like chance and are the same each time (mulberry32). */
function sequence(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}

type Build = (received: (message: string) => void) => Protocol
const lines: Build = (received) =>
  Object.assign(
    new (class extends LineReceiver {
      override lineReceived(line: Uint8Array): void {
        received(fromLatin1(line))
      }
    })(),
    { maxLength: 8 },
  )
const texts: Build = (received) =>
  Object.assign(
    new (class extends TextLineReceiver {
      override lineReceived(line: string): void {
        received(line)
      }
    })(),
    { maxLength: 8 },
  )
const receivers: [string, Build, string][] = [
  ['lines', lines, 'one\r\n\r\nfour\r\n'],
  ['lines of text', texts, 'one\r\n\xe2\x9c\x93\r\nfour\r\n'],
  ...formats.map(({ name, build, encode }): [string, Build, string] => [
    name,
    (received) =>
      Object.assign(
        build((string) => received(fromLatin1(string))),
        { maxLength: 200 },
      ),
    ['one', '', 'x'.repeat(130)].map(encode).join(''),
  ]),
]

/** What comes of it: the messages, and how it ended. */
function outcome(build: Build, bytes: Uint8Array, size: number): string {
  const out: string[] = []
  const protocol = build((message) => out.push(message))
  let end = ''
  protocol.connectionLost = ({ cause }) => {
    end = String(cause)
  }
  const transport = connected(protocol)
  for (let start = 0; start < bytes.length; start += size) transport.receive(bytes.slice(start, start + size))
  transport.end()
  return `${out.join('|')} ${end}`
}

describe.each(receivers)('%s', (_, build, good) => {
  it('survive a million inputs', { timeout: 600_000 }, () => {
    const chance = sequence(good.length)
    const original = toLatin1(good)
    let refused = 0
    let different = 0
    for (let run = 0; run < runs; run++) {
      const bytes = original.slice(0, 1 + chance(original.length))
      for (let count = chance(4); count > 0; count--) bytes[chance(bytes.length)] = chance(256)
      const whole = outcome(build, bytes, bytes.length)
      if (/Too|Bad|Invalid/.test(whole)) refused++
      if (run % 10 === 0 && outcome(build, bytes, 1 + chance(9)) !== whole) different++
    }
    expect(different).toBe(0)
    expect(refused).toBeGreaterThan(runs / 1000)
  })
})
