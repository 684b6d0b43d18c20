/** The heartbeat example: who is heard of, and who is missed. */
import { IPv4Address } from 'couplet'
import { ManualClock } from 'couplet/testing'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Heart, Monitor } from '../../examples/heartbeat.ts'
import { DatagramPortInMemory } from './datagram-port.ts'

const from = new IPv4Address('UDP', '10.0.0.7', 5000)

describe('the heartbeat', () => {
  it('beats once a second until its port stops, and the beats have numbers', () => {
    const clock = new ManualClock()
    const port = new DatagramPortInMemory(new Heart('ann', from, 1000, clock))
    clock.advance(2500)
    expect(port.sent.map(([text]) => text)).toEqual(['beat ann 1', 'beat ann 2', 'beat ann 3'])
    port.stopListening()
    expect(clock.pending()).toEqual([])
  })

  it('is missed when it has been silent for long enough, and welcome when it is back', () => {
    const clock = new ManualClock()
    const said: string[] = []
    const monitor = new DatagramPortInMemory(
      new Monitor(clock, 3500, (line) => said.push(`${clock.now() / 1000} ${line}`)),
    )
    const heart = new DatagramPortInMemory(new Heart('ann', from, 1000, clock))
    const lost = new Set([3, 4, 12, 13, 14, 15, 16])
    for (let second = 0; second < 20; second++) {
      const [text = ''] = heart.sent.at(-1) ?? []
      if (!lost.has(second)) monitor.arrive(text, from)
      clock.advance(1000)
    }
    // Two lost in a row do not matter, five do.
    expect(said).toEqual([
      '0 ann is here (10.0.0.7)',
      '14.5 ann has been silent for 3.5 s',
      '17 ann is here (10.0.0.7)',
    ])
    heart.stopListening()
    monitor.stopListening()
    expect(clock.pending()).toEqual([])
  })

  it('takes nothing else for a beat, and a thousand names at most', () => {
    const clock = new ManualClock()
    const said: string[] = []
    const port = new DatagramPortInMemory(new Monitor(clock, 3500, (line) => said.push(line)))
    for (const text of ['', 'beat', 'beat a', 'beat a b', 'beat a\n 1', `beat ${'a'.repeat(33)} 1`, 'beat \x1b[2J 1']) {
      port.arrive(text, from)
    }
    fc.assert(fc.property(fc.uint8Array(), (bytes) => port.arrive(bytes, from)))
    expect(said).toEqual([])
    for (let name = 0; name < 2000; name++) port.arrive(`beat n${name} 1`, from)
    expect([said.length, clock.pending().length]).toEqual([1000, 1000])
  })
})
