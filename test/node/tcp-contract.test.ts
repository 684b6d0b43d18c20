/** The contract of transports, over real TCP connections. */
import { describe } from 'vitest'
import { closes } from '../core/transport-contract/closing.ts'
import { deliversBytes } from '../core/transport-contract/delivery.ts'
import { guardsHooks } from '../core/transport-contract/hooks.ts'
import { holdsProducersBack } from '../core/transport-contract/producers.ts'
import { Loopback } from './loopback.ts'

describe('a TCP connection', () => {
  const makeWorld = (): Loopback => new Loopback()
  deliversBytes(makeWorld)
  closes(makeWorld)
  holdsProducersBack(makeWorld)
  guardsHooks(makeWorld)
})
