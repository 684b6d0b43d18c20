/** The example of a client that does not give up, as a program. */
import { expect, it } from 'vitest'
import { tenMinutesDown } from '../../examples/ten-minutes-down.ts'

it('the client of a server that is down for ten minutes is back within a minute, with every seed', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const story = tenMinutesDown(seed)
    const events = story.map((line) => line.slice(12).replace(/\d+ times/, 'many times'))
    expect(events).toEqual([
      'the lighthouse is there',
      'the ship hears: all is well',
      'the lighthouse is gone',
      'the lighthouse is there',
      'the ship has asked many times',
      'the ship hears: all is well',
      'nothing is left to happen',
    ])
    const [back, heard] = [3, 5].map((index) => parseFloat(story[index] ?? ''))
    expect(heard).toBeGreaterThan(back ?? NaN)
    expect(heard).toBeLessThan((back ?? NaN) + 61)
  }
})
