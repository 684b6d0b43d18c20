/** What is neutral in the framework, beside poetry, on bad networks and under faults. */
import { simTestWith } from 'couplet/sim'
import { it } from 'vitest'
import { framing, policies } from './talking-system.ts'

const simTest = simTestWith(it)

simTest('frames of every kind are heard as they were said, or not at all', framing.options, framing.stage)
simTest('policies keep their word, and everybody is served', policies.options, policies.stage)
