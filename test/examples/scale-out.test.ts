/** The recipes of docs/scale-out.md that need nothing but Node. */
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { whyNoReusePort } from '../../src/framework/node/reuse-port.ts'
import { heldSocket } from '../node/generations.ts'
import { rollingRestart } from '../node/rolling-restart.ts'
import { Started } from '../poetry/programs.ts'
import {
  activatedServer,
  anywhere,
  cluster,
  end,
  inheriting,
  listens,
  opens,
  replacedWorkers,
  spread,
} from './scale-out.ts'

const started = new Started()
afterEach(() => started.end())

const sumOf = (counts: readonly number[]): number => counts.reduce((sum, each) => sum + each, 0)

describe.concurrent('one process', () => {
  it('answers all, and gives one more answer to whoever is there when it stops', async () => {
    const program = started.example('scale-out/server', anywhere)
    const [[, pid, port] = []] = await listens(program)
    expect(await spread(started, port)).toEqual([64])
    const client = connect(Number(port), '127.0.0.1').setEncoding('utf8')
    client.write('first\r\n')
    await new Promise((resolve) => client.once('readable', resolve))
    program.child.kill('SIGTERM')
    // Nobody gets in any more, so it has heard the signal.
    while (await opens(Number(port)));
    client.write('second\r\n')
    const here = `127.0.0.1:${client.localPort}`
    expect(await text(client)).toBe(`${pid} to ${here}: first\r\n${pid} to ${here}: second\r\n`)
    expect(await program.ended).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('a held socket', () => {
  it('servers come and go, three times, and no client is dropped', async () => {
    const held = heldSocket()
    const start = inheriting(started, held, activatedServer)
    const { answers, dropped } = await rollingRestart(held.dial, [start, start, start, start], 50)
    expect(dropped).toEqual([])
    expect(answers.size).toBe(4)
  })
})

describe('a cluster', () => {
  it('shares its clients out in turn, and replaces a worker that dies', async () => {
    const { program, workers } = await cluster(started, 2)
    const [[, pid, port] = []] = workers
    const counts = await spread(started, port)
    expect([counts.length, sumOf(counts)]).toEqual([2, 64])
    process.kill(Number(pid), 'SIGKILL')
    await listens(program, 3)
    expect((await spread(started, port)).length).toBe(2)
    await end(program)
  })

  it('replaces its workers one after another, three times, and drops no client', async () => {
    const { answers, dropped } = await replacedWorkers(started, 3, 50)
    expect(dropped).toEqual([])
    expect(answers.size).toBe(8)
  })

  it('ends well when all of it hears the signal at once, as with Ctrl-C', async () => {
    const { program, workers } = await cluster(started, 2)
    for (const [, pid] of workers) process.kill(Number(pid), 'SIGINT')
    program.child.kill('SIGINT')
    expect(await program.ended).toMatchObject({ code: 0, stderr: '' })
  })

  it('fails in the words of its worker if that cannot listen', async () => {
    const { code, stderr } = await started.example('scale-out/cluster', '2', 'systemd:name=lines').ended
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^cluster: systemd:name=lines: cannot listen: .*\n$/)])
  })
})

describe('reusePort', () => {
  it.runIf(whyNoReusePort() === undefined && process.platform === 'linux')('shares its clients out', async () => {
    const program = started.example('scale-out/reuse-port', '2', '0')
    await program.prints(/^all are there$/)
    const [[, , port] = []] = await listens(program, 2)
    const counts = await spread(started, port)
    expect([counts.length, sumOf(counts)]).toEqual([2, 64])
    await end(program)
  })

  it.runIf(whyNoReusePort() !== undefined)('says what it needs', async () => {
    const { code, stderr } = await started.example('scale-out/reuse-port', '2', '0').ended
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^server: .*reusePort needs Node 22\.12 or 23\.1.*\n$/)])
  })
})
