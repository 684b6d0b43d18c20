/** The IRC example: its table of states, and what each state allows. */
import { Factory } from 'couplet'
import { ManualClock } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { Client } from '../../examples/irc.ts'
import { Network } from '../../examples/irc-network.ts'
import { survivesStrangers } from './strangers.ts'
import { servedBy } from './world.ts'

function irc() {
  const network = new Network()
  return servedBy((sim) => Factory.forProtocol(() => new Client(network, sim.hosts[0]!.reactor)))
}

describe('IRC', () => {
  it('knows somebody after NICK and USER, in either order, and lets nobody do anything before', () => {
    const { come } = irc()
    expect(come('JOIN #a', 'constructor', 'NICK ann', 'USER ann 0 * :Ann Example').reads()).toEqual([
      ':irc.example 451 * :NICK and USER first',
      ':irc.example 451 * :NICK and USER first',
      ':irc.example 001 ann :welcome, ann',
    ])
    expect(come('user bob', 'nick ANN', 'nick 1', ':who!cares@x nick bob\r', 'USER bob').reads()).toEqual([
      ':irc.example 433 * ANN :this nickname is taken',
      ':irc.example 432 * :this is no nickname',
      ':irc.example 001 bob :welcome, bob',
      ':irc.example 462 bob :you are known already',
    ])
  })

  it('lets all in a channel hear what one says there, and one alone what is for one', () => {
    const { sim, come } = irc()
    const ann = come('NICK ann', 'USER ann', 'JOIN #Poetry')
    const bob = come('NICK bob', 'USER b', 'JOIN #poetry', 'PRIVMSG #poetry :hello: all', 'PRIVMSG ann psst')
    expect(ann.reads().slice(1)).toEqual([
      ':ann!ann@couplet JOIN #Poetry',
      ':irc.example 353 ann = #Poetry :ann',
      ':irc.example 366 ann #Poetry :that is all',
      ':bob!b@couplet JOIN #poetry',
      ':bob!b@couplet PRIVMSG #poetry :hello: all',
      ':bob!b@couplet PRIVMSG ann :psst',
    ])
    bob.reads()
    ann.types(
      'NICK anna',
      'PART #poetry',
      'PRIVMSG #poetry :still here?',
      'PART #poetry',
      'JOIN poetry',
      'TOPIC',
      'PING :1 2',
    )
    sim.advance(20)
    expect(bob.reads()).toEqual([':ann!ann@couplet NICK :anna', ':anna!ann@couplet PART #poetry'])
    expect(ann.reads().slice(2)).toEqual([
      ':irc.example 401 anna #poetry :nobody is there',
      ':irc.example 442 anna #poetry :you are not there',
      ':irc.example 403 anna poetry :you cannot go there',
      ':irc.example 421 anna TOPIC :unknown command',
      'PONG irc.example :1 2',
    ])
  })

  it('tells who shares a channel with somebody that this one has left, and how; then the name is free', () => {
    const { sim, come } = irc()
    const ann = come('NICK ann', 'USER ann', 'JOIN #a', 'JOIN #b')
    const stranger = come('NICK cid', 'USER cid', 'JOIN #c')
    const bob = come('NICK bob', 'USER bob', 'JOIN #a', 'JOIN #b')
    const dan = come('NICK dan', 'USER dan', 'JOIN #b')
    for (const person of [ann, stranger]) person.reads()
    bob.types('QUIT')
    sim.advance(10)
    dan.transport.abortConnection()
    sim.advance(10)
    expect(ann.reads()).toEqual([':bob!bob@couplet QUIT :goodbye', ':dan!dan@couplet QUIT :the connection broke'])
    expect([stranger.reads(), bob.gone]).toEqual([[], 'ConnectionDone'])
    expect(come('NICK bob', 'USER bob').reads()).toEqual([':irc.example 001 bob :welcome, bob'])
  })

  it('waits thirty seconds for an introduction, and not at all afterwards', () => {
    const { sim, come } = irc()
    const ann = come('NICK ann', 'USER ann')
    const nobody = come('NICK nobody', 'PING')
    sim.advance(31_000)
    expect(nobody.reads().at(-1)).toBe('ERROR :30 seconds are over, and who are you?')
    expect([nobody.gone, ann.gone]).toEqual(['ConnectionDone', undefined])
    expect(sim.pending).toBe(0)
  })

  it('lets nobody smuggle a second line into what others hear', () => {
    const { come } = irc()
    const ann = come('NICK ann', 'USER ann')
    come('NICK bob', 'USER bob', 'PRIVMSG ann :a\rQUIT :ha\0')
    expect(ann.reads().at(-1)).toBe(':bob!bob@couplet PRIVMSG ann :aQUIT :ha')
  })

  it('survives strangers', () => {
    const clock = new ManualClock()
    const network = new Network()
    const words = [
      'NICK ',
      'USER ',
      'JOIN ',
      'PART ',
      'PRIVMSG ',
      'QUIT',
      '#a',
      'ann',
      ' ',
      ' :',
      ':',
      '\r\n',
      '\n',
      '\xff',
      '\0',
    ]
    survivesStrangers(() => new Client(network, clock), [...words, 'NICK ann\n', 'USER ann\n', 'JOIN #a\n'])
    expect(clock.pending()).toEqual([])
    expect(network.rename({ nick: '', prefix: '', say() {} }, 'ann')).toBe(true)
  })
})
