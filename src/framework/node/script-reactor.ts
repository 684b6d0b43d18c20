/**
 * The one reactor of a program that does not care for more, and of scripts.
 *
 * Ancestor: `twisted.internet.reactor`.
 */
import { NodeReactor } from './node-reactor.ts'

/** A reactor for scripts. Nothing happens until you ask it for something; libraries take a reactor instead. */
export const reactor = new NodeReactor()
