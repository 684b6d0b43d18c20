/** Small systems, each for one part of the framework, with many seeds. */
import { simTestWith } from 'couplet/sim'
import { it } from 'vitest'
import { attempts } from './attempts-system.ts'
import { chat } from './chat-system.ts'
import { wireFormats } from './format-system.ts'
import { idlers } from './idle-system.ts'
import { stayingConnected } from './service-system.ts'
import { timers } from './timer-system.ts'

const simTest = simTestWith(it)

simTest('strings come back as they were said, in every format', wireFormats.options, wireFormats.stage)
simTest('timers are called at their moments, in their turn, and once', timers.options, timers.stage)
simTest('everybody in a room hears what was said, in order', chat.options, chat.stage)
simTest('a client stays connected, or stays away', stayingConnected.options, stayingConnected.stage)
simTest('attempts end in their time, and nothing is left of them', attempts.options, attempts.stage)
simTest('places are kept, and given up', idlers.options, idlers.stage)
