/** Small systems, each for one part of the framework, with many seeds. */
import { simTestWith } from 'couplet/sim'
import { it } from 'vitest'
import { longAnswers } from './answers-system.ts'
import { attempts, givenUp } from './attempts-system.ts'
import { conversing } from './bridge-system.ts'
import { chat } from './chat-system.ts'
import { datagrams } from './datagram-system.ts'
import { wireFormats } from './format-system.ts'
import { household } from './household-system.ts'
import { idlers } from './idle-system.ts'
import { secured } from './secured-system.ts'
import { stayingConnected } from './service-system.ts'
import { timers } from './timer-system.ts'

const simTest = simTestWith(it)

simTest('strings come back as they were said, in every format', wireFormats.options, wireFormats.stage)
simTest('timers are called at their moments, in their turn, and once', timers.options, timers.stage)
simTest('everybody in a room hears what was said, in order', chat.options, chat.stage)
simTest('a client stays connected, or stays away', stayingConnected.options, stayingConnected.stage)
simTest('attempts end in their time, and nothing is left of them', attempts.options, attempts.stage)
simTest('places are kept, and given up', idlers.options, idlers.stage)
simTest('guests come, speak and leave at any moment, and are heard', conversing.options, conversing.stage)
simTest('an attempt that is given up settles once and leaves nothing', givenUp.options, givenUp.stage)
simTest('a connection that goes on with TLS keeps its secrets', secured.options, secured.stage)
simTest('datagrams come whole and from whom they say, or not at all', datagrams.options, datagrams.stage)
simTest('of services that were stopped nothing is left', household.options, household.stage)
simTest('long answers are held back, and all of them are heard', longAnswers.options, longAnswers.stage)
