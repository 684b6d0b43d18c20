/** Standard input and output as a connection, in programs of their own: pipes, sockets, files, a terminal. */
import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { directory } from './worlds.ts'

/** What every program begins with. What it `says` goes to stderr, a line each. */
const preamble = `
  import { Factory, LineReceiver, Protocol, serverFromString, StandardIOAddress, StandardIOEndpoint } from 'couplet'
  import { reactor, react } from 'couplet/node'
  const say = (...words) => process.stderr.write(words.join(' ') + '\\n')
  const why = (reason) => reason.name + (reason.cause === undefined ? '' : ' ' + (reason.cause.code ?? reason.cause.name))
  class Told extends Protocol {
    connectionMade() { say('made', this.transport.host, this.transport.peer) }
    connectionLost(reason) { say('lost', why(reason)) }
  }
  const serve = (build) => new StandardIOEndpoint(reactor).listen(Factory.forProtocol(build))
`

function command(program: string): string[] {
  return ['-C', '@couplet/source', '--import', 'tsx', '--input-type=module', '--eval', preamble + program]
}

interface Program {
  readonly process: ChildProcess
  readonly stdin: Writable
  readonly stdout: Readable
  /** All that it said, once it has ended, and how it ended. */
  readonly end: Promise<{ said: string[]; exit: number | string | null }>
}

/** Runs a program. It is dead when the test is over. */
function run(program: string, stdio: [unknown, unknown] = ['pipe', 'pipe']): Program {
  return started(process.execPath, command(program), stdio)
}

/** Runs a program in a shell, in which it is `"$@"`. */
function runIn(shell: string, program: string): Program {
  return started('/bin/sh', ['-c', shell, 'sh', process.execPath, ...command(program)])
}

function started(file: string, args: string[], stdio: [unknown, unknown] = ['pipe', 'pipe']): Program {
  const child = spawn(file, args, { stdio: [...stdio, 'pipe'] as StdioOptions, detached: true })
  const said = text(child.stderr as Readable)
  const exited = once(child, 'close') as Promise<[number | null, string | null]>
  onTestFinished(async () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // Its whole group has ended.
    }
    await exited
  })
  const end = exited.then(async ([code, signal]) => {
    const lines = (await said).split('\n').filter((line) => line !== '')
    return { said: lines, exit: code ?? signal }
  })
  child.stdin?.on('error', () => {})
  return { process: child, stdin: child.stdin as Writable, stdout: child.stdout as Readable, end }
}

const upper = `serve(() => new (class extends Told {
  dataReceived(chunk) { this.transport.write(String(chunk).toUpperCase()) }
}))`

/** Writes a MiB and a half and closes, however slowly it is read. */
const much = `
  const whole = new Uint8Array(1.5 * 2 ** 20).fill(65)
  serve(() => new (class extends Told {
    connectionMade() {
      this.transport.write(whole)
      this.transport.loseConnection()
    }
  }))`

describe('a connection over standard input and output', () => {
  it('talks to whoever started the program, and ends with the input; the program then ends by itself', async () => {
    const { stdin, stdout, end } = run(upper)
    stdin.write('one ')
    const answer = stdout[Symbol.asyncIterator]()
    expect(String((await answer.next()).value)).toBe('ONE ')
    stdin.end('two')
    expect(String((await answer.next()).value)).toBe('TWO')
    expect((await answer.next()).done).toBe(true)
    expect(await end).toEqual({ said: ['made stdio stdio', 'lost ConnectionDone'], exit: 0 })
  })

  it('works in a pipeline of a shell', async () => {
    const { stdout, end } = runIn('echo poem | "$@" | cat', upper)
    expect(await text(stdout)).toBe('POEM\n')
    expect(await end).toEqual({ said: ['made stdio stdio', 'lost ConnectionDone'], exit: 0 })
  })

  it('reads a file to its end, and writes one', async () => {
    const folder = directory()
    const [from, to] = [join(folder, 'from'), join(folder, 'to')]
    writeFileSync(from, 'poem\n'.repeat(100_000))
    const files = [openSync(from, 'r'), openSync(to, 'w')] as [number, number]
    const { end } = run(upper, files)
    files.forEach((file) => closeSync(file))
    expect(await end).toEqual({ said: ['made stdio stdio', 'lost ConnectionDone'], exit: 0 })
    expect(readFileSync(to, 'utf8')).toBe('POEM\n'.repeat(100_000))
  })

  it('ends at once where there is no input, and throws the output away where nobody wants it', async () => {
    const { end } = run(much, ['ignore', 'ignore'])
    expect(await end).toEqual({ said: ['lost ConnectionDone'], exit: 0 })
  })

  it('is lost when the input breaks', async () => {
    const file = openSync(import.meta.filename, 'r')
    const { end } = run(
      `serve(() => new (class extends Told {
        connectionMade() {
          this.transport.pauseProducing()
          process.stdin.emit('error', Object.assign(new Error('read EIO'), { code: 'EIO' }))
        }
      }))`,
      [file, 'ignore'],
    )
    closeSync(file)
    expect(await end).toEqual({ said: ['lost ConnectionLost EIO'], exit: 0 })
  })

  it('talks to a terminal', async () => {
    const folder = directory()
    const inner = [process.execPath, ...command(upper)].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
    const log = join(folder, 'said')
    const { stdin, stdout, end } = started('script', [
      '--quiet',
      '--return',
      '--command',
      `${inner} 2> ${log}`,
      '/dev/null',
    ])
    stdin.write('poem\n')
    let seen = ''
    for await (const chunk of stdout) {
      seen += String(chunk)
      // What was typed is shown, too.
      if (seen.includes('POEM')) stdin.end('\x04')
    }
    expect(seen).toContain('poem')
    expect((await end).exit).toBe(0)
    expect(readFileSync(log, 'utf8')).toBe('made stdio stdio\nlost ConnectionDone\n')
  })

  it('sends everything before the program ends, however slowly it is read', async () => {
    const { stdout, end } = runIn('"$@" < /dev/null | (sleep 0.3; wc -c)', much)
    expect((await text(stdout)).trim()).toBe(String(1.5 * 2 ** 20))
    expect(await end).toEqual({ said: ['lost ConnectionDone'], exit: 0 })
  })

  it('sends everything under react too, where main has finished long before', async () => {
    const { stdout, end } = runIn(
      '"$@" < /dev/null | (sleep 0.3; wc -c)',
      `react(async () => { ${much.replace('serve(', 'await serve(')} })`,
    )
    expect((await text(stdout)).trim()).toBe(String(1.5 * 2 ** 20))
    expect((await end).exit).toBe(0)
  })

  it('tells a reader of a socket that the output has ended, and goes on reading', async () => {
    const { stdin, stdout, end } = run(`serve(() => new (class extends Told {
      connectionMade() {
        this.transport.write('question')
        this.transport.loseWriteConnection()
      }
      writeConnectionLost() { say('half') }
      dataReceived(chunk) { say('got', chunk) }
      readConnectionLost() { this.transport.loseConnection() }
    }))`)
    expect(await text(stdout)).toBe('question')
    stdin.end('answer')
    expect(await end).toEqual({ said: ['half', 'got answer', 'lost ConnectionDone'], exit: 0 })
  })

  it('goes on writing after the end of the input, if the protocol wants to', async () => {
    const { stdin, stdout, end } = run(`serve(() => new (class extends Told {
      readConnectionLost() {
        reactor.callLater(10, () => {
          this.transport.write('later')
          this.transport.loseConnection()
        })
      }
    }))`)
    stdin.end()
    expect(await text(stdout)).toBe('later')
    expect((await end).said).toEqual(['made stdio stdio', 'lost ConnectionDone'])
  })

  it.each([
    ['', 0],
    [' under react, which leaves it to the connection', 0],
  ])('is lost when nobody reads the output any more%s', async (which) => {
    const chatter = `serve(() => new (class extends Told {
      connectionMade() { this.drip() }
      drip() {
        if (this.transport.disconnected) return
        this.transport.write('line\\n')
        reactor.callLater(1, () => this.drip())
      }
      connectionLost(reason) {
        super.connectionLost(reason)
        reactor.stop()
      }
    }))`
    const program = which === '' ? chatter : `react(async () => { await ${chatter}; await reactor.whenStopped() })`
    const { stdout, end } = run(program)
    await once(stdout, 'data')
    stdout.destroy()
    expect(await end).toEqual({ said: ['lost ConnectionLost EPIPE'], exit: 0 })
  })

  it('holds back whoever writes to a program that pauses', async () => {
    const {
      process: paused,
      stdin,
      stdout,
      end,
    } = run(`
    const told = new Promise((resolve) => process.on('SIGUSR2', resolve))
    const port = await serve(() => new (class extends Told {
      got = 0
      connectionMade() {
        // Somebody who pauses does not keep a program from ending.
        this.stay = setInterval(() => {}, 10_000)
        this.transport.pauseProducing()
        this.transport.write('paused')
      }
      dataReceived(chunk) {
        if (chunk.length > 65536) say('too much at once')
        if (this.got === 0 && !this.resumed) say('not paused')
        this.got += chunk.length
      }
      readConnectionLost() {
        clearInterval(this.stay)
        say('got', this.got)
        this.transport.loseConnection()
      }
      stopping() {
        this.resumed = true
        this.transport.resumeProducing()
      }
    }))
    await told
    port.stopListening({ drain: 60000 })`)
    const [first] = (await once(stdout, 'data')) as [Buffer]
    expect(String(first)).toBe('paused')
    const size = 4 << 20
    stdin.end(Buffer.alloc(size))
    // More than all that is in between can hold.
    expect(stdin.writableLength).toBeGreaterThan(size / 2)
    const { process: child } = started('true', [])
    await once(child, 'exit')
    expect(stdin.writableLength).toBeGreaterThan(size / 2)
    paused.kill('SIGUSR2')
    expect((await end).said).toEqual([`got ${size}`, 'lost ConnectionDone'])
  })

  it('that is aborted while nobody reads does not keep the program from ending', async () => {
    const { end } = run(`serve(() => new (class extends Told {
      connectionMade() {
        this.transport.write(new Uint8Array(2 ** 20))
        reactor.callLater(50, () => this.transport.abortConnection(new RangeError('enough')))
      }
    }))`)
    expect(await end).toEqual({ said: ['lost ConnectionAborted RangeError'], exit: 0 })
  })

  it('gives up on a reader who takes nothing', async () => {
    const { end } = run(`reactor.dial(new StandardIOAddress(), { linger: 50 }).addCallback((it) => {
      it.deliverTo(new Told())
      it.write(new Uint8Array(2 ** 20))
      it.loseConnection()
    })`)
    expect((await end).said).toEqual(['made stdio stdio', 'lost ConnectionLost ERR_LINGER_TIMEOUT'])
  })

  it('is aborted by a hook that throws', async () => {
    const { stdin, end } = run(`serve(() => new (class extends Told {
      dataReceived() { throw new RangeError('a bug') }
    }))`)
    stdin.write('x')
    const { said, exit } = await end
    expect(said.at(0)).toBe('made stdio stdio')
    expect(said.at(-1)).toBe('lost ConnectionAborted RangeError')
    expect(exit).toBe(0)
  })

  it('is there once', async () => {
    const { stdin, end } = run(`
      const first = await reactor.dial(new StandardIOAddress())
      first.deliverTo(new Told())
      // The input ends at once, and that is heard when the connection is given up.
      first.pauseProducing()
      const say2 = (error) => say(error.name, error.message)
      await reactor.dial(new StandardIOAddress()).toPromise().catch(say2)
      await serve(() => new Told()).toPromise().catch(say2)
      await reactor.dial(new StandardIOAddress(), { tls: { serverName: 'x' } }).toPromise().catch(say2)
      say(reactor.stats().open)
      first.loseConnection()
      await first.whenLost()
      say(reactor.stats().open)`)
    stdin.end()
    const taken = 'standard input and output have been given to a connection already'
    expect(await end).toEqual({
      said: [
        'made stdio stdio',
        `ConnectError stdio: ${taken}`,
        `CannotListenError stdio: cannot listen: ${taken}`,
        'UnsupportedAddress stdio: there is no TLS over standard input and output',
        '1',
        'lost ConnectionDone',
        '0',
      ],
      exit: 0,
    })
  })

  it('is refused while somebody else reads the input, or when the dial was cancelled', async () => {
    const { end } = run(`
      const cancelled = reactor.dial(new StandardIOAddress())
      cancelled.cancel()
      await cancelled.toPromise().catch((error) => say(error.name))
      process.stdin.on('data', () => {})
      await reactor.dial(new StandardIOAddress()).toPromise().catch((error) => say(error.message))
      process.stdin.destroy()`)
    expect((await end).said).toEqual([
      'ConnectingCancelledError',
      'stdio: the standard input is being read by somebody else',
    ])
  })

  it('is drained by a signal, under react', async () => {
    const {
      process: server,
      stdin,
      stdout,
      end,
    } = run(`react(async (reactor) => {
      const stopped = reactor.whenStopped()
      await serverFromString(reactor, 'stdio:').listen(Factory.forProtocol(() => new (class extends Told {
        connectionMade() { this.transport.write('ready') }
      })))
      await stopped
    })`)
    await once(stdout, 'data')
    server.kill('SIGTERM')
    stdin.end()
    stdout.resume()
    expect(await end).toEqual({ said: ['lost ConnectionDone'], exit: 0 })
  })
})
