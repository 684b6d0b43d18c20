/** The poetry system on bad networks and under faults, with many seeds. */
import { simTestWith } from 'couplet/sim'
import { it } from 'vitest'
import { proxiedPoet, slowPoet, transforms } from './poetry-system.ts'

const simTest = simTestWith(it)

simTest('everybody gets the whole poem from a slow poet', slowPoet.options, slowPoet.stage)
simTest('everybody gets the whole poem through a proxy', proxiedPoet.options, proxiedPoet.stage)
simTest('every question gets its own answer, in order, whoever crashes', transforms.options, transforms.stage)
