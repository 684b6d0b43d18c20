/** The chat example, in virtual time: who comes, who speaks, who leaves. */
import { Factory } from 'couplet'
import { connected } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { Member, Room } from '../../examples/chat.ts'
import { survivesStrangers } from './strangers.ts'
import { servedBy } from './world.ts'

function chat() {
  const room = new Room()
  return { room, ...servedBy(() => Factory.forProtocol(() => new Member(room))) }
}

describe('the chat', () => {
  it('asks for a name, and lets all others hear what one says', () => {
    const { sim, come } = chat()
    const ann = come('ann')
    const bob = come('bob\r')
    bob.types('hello', '', '/who', '/me waves')
    sim.advance(10)
    expect(ann.reads()).toEqual(['* what is your name?', '* hello ann; here are ann', '* bob is here', 'bob: hello'])
    expect(bob.reads()).toEqual([
      '* what is your name?',
      '* hello bob; here are ann, bob',
      '* ann, bob',
      '* there are /who and /quit',
    ])
  })

  it('gives each name once, whatever the case of its letters, and none that could be mistaken', () => {
    const { come } = chat()
    come('ann')
    const other = come('Ann', '', 'a b', '\x1b[2J', 'x'.repeat(21), '__proto__')
    expect(other.reads().slice(1)).toEqual([
      '* that name is taken',
      ...Array<string>(4).fill('* a name has 1 to 20 letters or digits'),
      '* hello __proto__; here are ann, __proto__',
    ])
  })

  it('takes away what could command a terminal', () => {
    const { sim, come } = chat()
    const ann = come('ann')
    come('bob', 'red \x1b[31m \u202eesrever \0')
    sim.advance(10)
    expect(ann.reads().at(-1)).toBe('bob: red [31m esrever')
  })

  it('says who has left, and whether that was on purpose', () => {
    const { sim, come, room } = chat()
    const ann = come('ann')
    const [bob, cid, dan] = [come('bob'), come('cid'), come('dan')]
    ann.reads()
    bob.types('/quit')
    sim.advance(10)
    cid.transport.abortConnection()
    sim.advance(10)
    dan.types('x'.repeat(2000))
    sim.advance(10)
    expect(ann.reads()).toEqual(['* bob is gone', '* cid is gone, by accident', '* dan is gone, by accident'])
    expect(dan.reads().at(-1)).toBe('* a line has 1000 bytes at most')
    expect([room.names, bob.gone, dan.gone]).toEqual(['ann', 'ConnectionDone', 'ConnectionDone'])
  })

  it('loses a member that does not read, and nobody else waits for it', () => {
    const { sim, come } = chat()
    const ann = come('ann')
    const bob = come('bob')
    const deaf = come('deaf')
    deaf.transport.pauseProducing()
    bob.reads()
    let said = 0
    for (; said < 3000 && deaf.gone === undefined; said++) {
      ann.types('x'.repeat(900))
      sim.advance(2000)
    }
    const heard = bob.reads()
    expect(deaf.gone).toBe('ConnectionLost')
    expect(heard.filter((line) => line.startsWith('ann: ')).length).toBe(said)
    expect(heard.at(-1)).toBe('* deaf is gone, by accident')
  })

  it('says goodbye when the server ends', () => {
    const member = new Member(new Room())
    const transport = connected(member)
    member.stopping()
    expect([transport.text(), transport.disconnecting]).toEqual(['* what is your name?\n* the room closes\n', true])
  })

  it('survives strangers', () => {
    const room = new Room()
    survivesStrangers(() => new Member(room), ['ann\n', 'bob\r\n', '/who\n', '/quit\n', 'hello\n', '\xff\n', '\n'])
    expect(room.names).toBe('')
  })
})
