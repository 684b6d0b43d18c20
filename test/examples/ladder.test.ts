/** Every program of the ladder, played in virtual time where it can be: all that it prints. */
import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { main as poets } from '../../examples/ladder/00-poets.ts'
import { getPoems as getOneAfterAnother } from '../../examples/ladder/01-blocking.ts'
import { getPoems as getAsTheyCome } from '../../examples/ladder/02-select.ts'
import { main as callLater } from '../../examples/ladder/03-call-later.ts'
import { main as stack } from '../../examples/ladder/04-stack.ts'
import { main as exception } from '../../examples/ladder/05-exception.ts'
import { main as protocol } from '../../examples/ladder/06-protocol.ts'
import { main as callbacks } from '../../examples/ladder/07-callbacks.ts'
import { main as deferred } from '../../examples/ladder/08-deferred.ts'
import { main as errors } from '../../examples/ladder/09-errors.ts'
import { main as transform } from '../../examples/ladder/10-transform.ts'
import { main as server } from '../../examples/ladder/11-server.ts'
import { main as innerDeferreds } from '../../examples/ladder/12-inner-deferreds.ts'
import { main as alreadyFired } from '../../examples/ladder/13-already-fired.ts'
import { main as inlineCallbacks } from '../../examples/ladder/14-inline-callbacks.ts'
import { main as deferredList } from '../../examples/ladder/15-deferred-list.ts'
import { main as cancel } from '../../examples/ladder/16-cancel.ts'
import { main as timeout } from '../../examples/ladder/17-timeout.ts'
import { main as services } from '../../examples/ladder/18-services.ts'
import { main as observable } from '../../examples/ladder/19-observable.ts'
import { Started } from '../poetry/programs.ts'
import { played, Printed } from './played.ts'

const blake = [
  'He who binds to himself a joy',
  'Does the winged life destroy;',
  'But he who kisses the joy as it flies',
  "Lives in eternity's sun rise.",
  '',
]
const verlaine = [
  'Il pleure dans mon cœur',
  'Comme il pleut sur la ville ;',
  'Quelle est cette langueur',
  'Qui pénètre mon cœur ?',
  '',
]
const rossetti = [
  'Who has seen the wind?',
  'Neither I nor you:',
  'But when the leaves hang trembling,',
  'The wind is passing through.',
  '',
]

/** The real number of a port, as the simulated machine gives them out, means nothing. */
function withoutPorts(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/(127\.0\.0\.1[: ])\d+/, '$1PORT'))
}

describe('the programs of the ladder that have sockets of their own, on this machine', () => {
  const started = new Started()
  afterEach(() => started.end())
  const untimed = (lines: readonly string[]) => lines.map((line) => line.replace(/^\d+\.\d\d s {2}/, ''))

  it('01-blocking asks no poet before the last one has hung up', async () => {
    const printed = new Printed()
    try {
      const poet = (name: string) =>
        started.server((socket) => {
          printed.lines.push(`${name} is asked`)
          socket.end('so much\n')
        })
      const ports = [await poet('one'), await poet('two'), await poet('three')]
      await getOneAfterAnother(ports.map(Number))
    } finally {
      printed.close()
    }
    expect(untimed(printed.lines)).toEqual([
      'poem 1: asks for it',
      'one is asked',
      'poem 1: so much',
      'poem 2: asks for it',
      'two is asked',
      'poem 2: so much',
      'poem 3: asks for it',
      'three is asked',
      'poem 3: so much',
      'has them all',
    ])
  })

  it('02-select hears whoever speaks, in whatever order', async () => {
    async function poet() {
      let arrived!: (socket: Socket) => void
      const socket = new Promise<Socket>((resolve) => {
        arrived = resolve
      })
      return { port: Number(await started.server(arrived)), socket }
    }
    const poets = [await poet(), await poet(), await poet()]
    const order = [2, 1, 3, 3, 2, 1, 2]
    const printed = new Printed()
    try {
      const ended = getAsTheyCome(poets.map(({ port }) => port))
      for (const number of order) {
        const socket = await poets[number - 1]!.socket
        const count = printed.lines.length
        socket.write(`line ${count}\n`)
        await printed.until(new RegExp(`: line ${count}$`))
      }
      for (const { socket } of poets) (await socket).end()
      await ended
    } finally {
      printed.close()
    }
    const lines = order.map((number, index) => `poem ${number}: line ${index}`)
    expect(untimed(printed.lines)).toEqual([...lines, 'has them all'])
  })
})

describe('the programs of the ladder, in virtual time', () => {
  it('00-poets says where the poets are, and goes on until Ctrl-C', async () => {
    expect(withoutPorts(await played(poets))).toEqual([
      'nc 127.0.0.1 PORT   # William Blake: Eternity',
      'nc 127.0.0.1 PORT   # Paul Verlaine: Il pleure dans mon cœur',
      'nc 127.0.0.1 PORT   # Christina Rossetti: Who has seen the wind?',
    ])
  })

  it('03-call-later counts three times at once, after main is done', async () => {
    expect(await played(callLater)).toEqual([
      '0.00 s  main is done',
      '0.25 s  Ariane: 3',
      '0.38 s  Vega: 3',
      '0.50 s  Soyuz: 3',
      '0.50 s  Ariane: 2',
      '0.75 s  Vega: 2',
      '0.75 s  Ariane: 1',
      '1.00 s  Soyuz: 2',
      '1.00 s  Ariane: lift-off',
      '1.13 s  Vega: 1',
      '1.50 s  Soyuz: 1',
      '1.50 s  Vega: lift-off',
      '2.00 s  Soyuz: lift-off',
      '2.00 s  the end: all have counted down',
    ])
  })

  it('04-stack shows main on the first stack, and a delayed call on the second', async () => {
    const lines = await played(stack)
    const called = lines.map((line) => line.trim().split(/ {2,}/)[0])
    const second = called.indexOf('Called by the reactor:')
    expect(called.slice(0, 3)).toEqual(['Called by main, and you see who called main:', 'whoCalledMe', 'main'])
    expect(called.slice(second + 1)).toContain('DelayedCall.run')
    expect(called.slice(second + 1)).not.toContain('main')
    expect(lines[1]).toMatch(/04-stack\.ts$/)
  })

  it('05-exception loses one call, and nothing else', async () => {
    expect(await played(exception)).toEqual([
      'main: nothing was thrown here',
      'one: I stand',
      'two: I stumble',
      'reported: A delayed call failed: Error: and fall',
      'three: I stand as well',
    ])
  })

  it('06-protocol counts the bytes of three conversations at once', async () => {
    const piece = (bytes: number) => `127.0.0.1:PORT: ${bytes} bytes`
    expect(withoutPorts(await played(protocol))).toEqual([
      ...[30, 25, 23, 30, 30, 19, 38, 26, 36, 30, 26, 29].map(piece),
      '127.0.0.1:PORT has hung up:',
      ...blake,
      '127.0.0.1:PORT has hung up:',
      ...verlaine,
      '127.0.0.1:PORT has hung up:',
      ...rossetti,
    ])
  })

  it('07-callbacks waits in vain for the two poems that went wrong', async () => {
    const lines = await played(callbacks)
    expect(lines.toSpliced(-2, 1)).toEqual([...blake, ...verlaine, 'I wait no longer for the other poems'])
    expect(lines.at(-2)).toMatch(/^log: connectionLost of PoetryProtocol failed: SyntaxError: /)
  })

  it('08-deferred hears of every poem how it ended', async () => {
    const refused = 'no poem: 127.0.0.1:PORT: connection refused (is the server running?)'
    expect(withoutPorts(await played(deferred))).toEqual([
      refused,
      ...blake,
      ...verlaine,
      ...rossetti,
      'all have ended',
    ])
  })

  it('09-errors goes from rail to rail', async () => {
    expect(await played(errors)).toEqual([
      'whole:',
      '  callback: 128 characters',
      '  callback: prints He who binds to himself a joy',
      'absent:',
      '  errback for poets who are not there: ConnectionRefusedError',
      '  callback: prints a blank page',
      'broken:',
      '  errback for poets who are not there: PoemCutOff',
      '  errback for poems that are cut off: PoemCutOff',
      '  callback: prints a fragment',
      'misread:',
      '  callback: 107 characters',
      '  errback for poets who are not there: SyntaxError',
      '  errback for poems that are cut off: SyntaxError',
      '  errback for all the rest: SyntaxError',
    ])
  })

  it('10-transform loses a poem where nobody keeps it, and only there', async () => {
    const numbered = (poem: readonly string[]) =>
      poem.map((line, index) => (line === '' ? '' : `${index + 1}  ${line.toLowerCase()}`))
    expect(await played(transform)).toEqual([
      ...numbered(blake),
      'no poem: there is no œ in the type case',
      '',
      ...numbered(blake),
      ...numbered(verlaine),
    ])
    const shouted = await played(transform, '0.01', 'shout', 'acrostic')
    expect(shouted).toEqual(['HDBL', '', 'no poem: there is no œ in the type case', '', 'HDBL', '', 'ICQQ', ''])
    expect(await played(transform, '0.01', 'mumble')).toContain('no poem: nobody knows how to mumble')
  })

  it('11-server gives each visitor another poem, and goes on until Ctrl-C', async () => {
    expect(withoutPorts(await played(server))).toEqual([
      'server: 127.0.0.1:PORT comes in and hears Eternity',
      'server: 127.0.0.1:PORT has left (ConnectionDone)',
      'visitor one: He who binds to himself a joy …',
      'server: 127.0.0.1:PORT comes in and hears Il pleure dans mon cœur',
      'server: 127.0.0.1:PORT has left (ConnectionDone)',
      'visitor two: Il pleure dans mon cœur …',
      'now you: nc 127.0.0.1 PORT (Ctrl-C ends the server)',
    ])
  })

  it('12-inner-deferreds waits for the poet, then for the server', async () => {
    expect(await played(innerDeferreds)).toEqual([
      'at first: Deferred { waiting for Deferred { … }, 4 callbacks }',
      'while the poet speaks: Deferred { waiting for Deferred { … }, 4 callbacks }',
      'the poet has finished: "He who binds to himself a joy"',
      'while the server works: Deferred { waiting for Deferred { … }, 2 callbacks }',
      "at last: Deferred { 'HE WHO BINDS TO HIMSELF A JOY' }",
    ])
  })

  it('13-already-fired fetches for each who comes before there is a poem, and has it at once after that', async () => {
    const before = ['  proxy: somebody comes in', '  proxy: asks the poet', '  proxy: has other things to do']
    expect(await played(alreadyFired)).toEqual([
      ...before,
      ...before,
      '  proxy: says the poem',
      '  proxy: says the poem',
      'Ann has the poem',
      'Ben has the poem',
      '  proxy: somebody comes in',
      '  proxy: says the poem',
      '  proxy: has other things to do',
      'Cleo has the poem',
    ])
  })

  it('14-inline-callbacks reads one after another, two readers at once', async () => {
    expect(await played(inlineCallbacks)).toEqual([
      '1.00 s  Ann has a poem, 4 lines so far',
      '1.00 s  Ben has a poem, 4 lines so far',
      '1.00 s  Ben shuts the book',
      '1.00 s  Ann goes on without: ConnectionRefusedError',
      '2.00 s  Ann has a poem, 8 lines so far',
      '2.00 s  Ann shuts the book',
      '2.00 s  together they have 12 lines',
    ])
  })

  it('15-deferred-list knows three ways to wait for four', async () => {
    const refused = '127.0.0.1:PORT: connection refused (is the server running?)'
    expect(withoutPorts(await played(deferredList))).toEqual([
      `0.00 s  gatherResults: The member at index 3 failed: ${refused}`,
      `1.00 s  deferredList: poem 1: ${blake[0]}`,
      `1.00 s  deferredList: poem 2: ${verlaine[0]}`,
      `1.00 s  deferredList: poem 3: ${rossetti[0]}`,
      `1.00 s  deferredList: poem 4: ${refused}`,
      '1.00 s  race: poem 1 was first',
    ])
  })

  it('16-cancel stops the poet whose reader has left, and no other', async () => {
    expect(await played(cancel)).toEqual([
      'Ann has no poem: the telephone rang',
      '  a poet: ConnectionLost',
      '  a poet: ConnectionDone',
      'Ben has the whole poem',
      'Ben has it still: Deferred { "He who binds to himself a joy" }',
    ])
  })

  it('17-timeout has no patience with the slow poet, unless it is given more', async () => {
    expect(await played(timeout)).toEqual([
      '1.00 s  the quick poet: a poem of 4 lines',
      '2.50 s  the slow poet: No result within 1500 ms; 25 bytes had come',
    ])
    expect(await played(timeout, '0.25', '30')).toEqual([
      '1.00 s  the quick poet: a poem of 4 lines',
      '4.00 s  the slow poet: a poem of 4 lines',
    ])
  })

  it('18-services starts in order, and stops in reverse', async () => {
    expect(withoutPorts(await played(services))).toEqual([
      'library: collects poems',
      'library: is open, with 3 poems',
      'door: open at 127.0.0.1:PORT (Ctrl-C closes it)',
      'door: is closed',
      'library: is closed',
    ])
  })

  it('19-observable prints each line when it is said', async () => {
    expect(await played(observable)).toEqual([
      `Blake: ${blake[0]}`,
      `Verlaine: ${verlaine[0]}`,
      `Rossetti: ${rossetti[0]}`,
      `Blake: ${blake[1]}`,
      `Verlaine: ${verlaine[1]}`,
      `Rossetti: ${rossetti[1]}`,
      `Blake: ${blake[2]}`,
      `Rossetti: ${rossetti[2]}`,
      `Blake: ${blake[3]}`,
      `Rossetti: ${rossetti[3]}`,
      '10 lines',
    ])
  })
})
