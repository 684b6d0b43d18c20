/** StatefulStringProtocol: each state has its method; nobody goes where there is none. */
import {
  IntStringDecoder,
  type StateMethods,
  StatefulStringProtocol,
  type StringDecoder,
  toText,
  UnknownState,
} from 'couplet'
import { connected, everyChunking } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { toLatin1 } from './line-model.ts'

/** Asks for a name and a number, repeats the name so often, and leaves. */
class Parrot extends StatefulStringProtocol<'name' | 'count'> {
  override state: 'name' | 'count' | 'done' = 'name'
  #name = ''
  protected override readonly states: StateMethods<'name' | 'count'> = {
    name: (string) => {
      this.#name = toText(string)
      return 'count'
    },
    count: (string) => {
      const count = Number(toText(string))
      if (!(count > 0)) return 'name'
      this.sendString(this.#name.repeat(count))
      return 'done'
    },
  }
}

/** Goes where its peer says: what nobody should write. */
class Led extends StatefulStringProtocol<string> {
  override state = 'start'
  protected override readonly states: StateMethods<string> = { start: (string) => toText(string) }
}

describe('StatefulStringProtocol', () => {
  it('goes from state to state, and closes in done, whatever the chunks', () => {
    everyChunking(toLatin1('1:x,1:-,2:ab,1:2,1:c,'), (chunks) => {
      const protocol = new Parrot()
      const transport = connected(protocol)
      for (const chunk of chunks) transport.receive(chunk)
      expect([transport.text(), protocol.state, transport.disconnecting, transport.cause]).toEqual([
        '4:abab,',
        'done',
        true,
        undefined,
      ])
    })
  })

  it('takes its strings in another format if it says so', () => {
    class Short extends Parrot {
      protected override readonly decoder: StringDecoder = new IntStringDecoder(1, this)
    }
    const transport = connected(new Short())
    transport.receive(toLatin1('\x02ab\x013'))
    expect(transport.text()).toBe('\x06ababab')
  })

  it.each(['nowhere', 'constructor', '__proto__', 'toString', '', 'a\x1b[31m'])(
    'never goes to %j, which has no method; the error names the states, and shows nothing unescaped',
    (state) => {
      const protocol = new Led()
      const transport = connected(protocol)
      const send = (): void => transport.receive(`${state.length}:${state},5:start,`)
      expect(send).toThrow(UnknownState)
      expect(() => protocol.stringReceived(new Uint8Array(0))).toThrow('(the states are start and done)')
      expect(() => protocol.stringReceived(new Uint8Array(0))).not.toThrow('\x1b')
      expect(protocol.state).toBe(state)
    },
  )

  it('is closed by its peer’s done as by its own', () => {
    const transport = connected(new Led())
    transport.receive('4:done,5:start,')
    expect(transport.disconnecting).toBe(true)
  })
})
