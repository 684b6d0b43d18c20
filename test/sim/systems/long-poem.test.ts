/** A poem that no buffer holds, on bad networks and under faults. Fewer seeds than the others: each has more bytes. */
import { simTestWith } from 'couplet/sim'
import { it } from 'vitest'
import { longWinded } from './poetry-system.ts'

const simTest = simTestWith(it)

simTest(
  'everybody gets the whole of a long poem, though its poet is stopped again and again',
  longWinded.options,
  longWinded.stage,
)
