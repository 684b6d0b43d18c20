/**
 * A conversation in steps: each string goes to the method of the present state, which returns the next state.
 *
 * Ancestor: `twisted.protocols.basic.StatefulStringProtocol`, which looks for a method called `proto_` and the state;
 * here the methods are in a map, so that the compiler knows the states, and no peer can choose a property.
 */
import { escaped, toBytes } from '../core/bytes.ts'
import { NetstringDecoder } from './netstring-decoder.ts'
import type { StringDecoder } from './string-decoder.ts'
import { StringReceiver } from './string-receiver.ts'

/** The program is wrong: it has no method for this state. Thrown, so the connection is aborted with it as the cause. */
export class UnknownState extends Error {
  static {
    this.prototype.name = 'UnknownState'
  }
  readonly code: string = 'ERR_UNKNOWN_STATE'

  constructor(state: string, known: readonly string[]) {
    super(`there is no state ${escaped(toBytes(state))} (the states are ${known.join(', ')} and done)`)
  }
}

/** What is done about a string in each state. Returns the state for the next string, or `done`. */
export type StateMethods<S extends string> = {
  readonly [State in Exclude<S, 'done'>]: (string: Uint8Array) => S | 'done'
}

/**
 * @example
 * class Greeter extends StatefulStringProtocol<'name' | 'town'> {
 *   override state: 'name' | 'town' | 'done' = 'name'
 *   protected override readonly states: StateMethods<'name' | 'town'> = {
 *     name: (string) => (this.sendString(`hello ${toText(string)}, where from?`), 'town'),
 *     town: () => 'done',
 *   }
 * }
 */
export abstract class StatefulStringProtocol<S extends string> extends StringReceiver {
  /** The format of the strings: netstrings, unless a subclass says otherwise, `new IntStringDecoder(2, this)` say. */
  protected override readonly decoder: StringDecoder = new NetstringDecoder(this)

  /** Where the conversation is; in a subclass, where it begins. In `done` the connection is closing. */
  abstract state: S | 'done'

  protected abstract readonly states: StateMethods<S>

  /** @throws UnknownState */
  override stringReceived(string: Uint8Array): void {
    const methods: Readonly<Record<string, (string: Uint8Array) => S | 'done'>> = this.states
    if (!Object.hasOwn(methods, this.state)) throw new UnknownState(this.state, Object.keys(methods))
    const next = methods[this.state]!.call(methods, string)
    this.state = next
    if (next === 'done') this.transport.loseConnection()
    else if (!Object.hasOwn(methods, next)) throw new UnknownState(next, Object.keys(methods))
  }
}
