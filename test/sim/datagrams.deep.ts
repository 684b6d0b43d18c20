/** The other half of a promise about datagrams: a hundred thousand bad days. */
import { it } from 'vitest'
import { tryDatagrams } from './datagrams.ts'

it('a datagram arrives whole, from whom it says, or not at all, in 100,000 worlds', () => {
  for (let seed = 0; seed < 100_000; seed++) tryDatagrams(seed)
})
