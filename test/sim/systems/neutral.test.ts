/** What is neutral in the framework, beside poetry, on bad networks and under faults. */
import { simTestWith } from 'couplet/sim'
import { it } from 'vitest'
import { observed } from './bridge-system.ts'
import { calls, client, draining } from './calling-system.ts'
import { forward, heldBack } from './forwarding-system.ts'
import { framing, policies } from './talking-system.ts'

const simTest = simTestWith(it)

simTest('frames of every kind are heard as they were said, or not at all', framing.options, framing.stage)
simTest('policies keep their word, and everybody is served', policies.options, policies.stage)
simTest('every call settles once and with its own answer, at both ends', calls.options, calls.stage)
simTest('a client has one connection at most, and none once it was stopped', client.options, client.stage)
simTest('a server that drains is empty when it has stopped', draining.options, draining.stage)
simTest('a port forward passes on what was said, both ways, and its end', forward.options, forward.stage)
simTest('a port forward holds back who is faster, and keeps nothing', heldBack.options, heldBack.stage)
simTest('an Observable of messages is silent once it was left', observed.options, observed.stage)
