/** Child processes of Node: what they say, what they are told, and every way in which they end. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  ConnectingCancelledError,
  ProcessAddress,
  ProcessDone,
  ProcessExitedAlready,
  ProcessProtocol,
  ProcessTerminated,
  SendQueueOverflow,
  type Signal,
  SpawnError,
} from 'couplet'
import { NodeReactor } from 'couplet/node'
import { describe, expect, it } from 'vitest'
import { reports as takeReports } from '../reports.ts'
import { runMany } from './child-processes.ts'
import { anywhere, ReactorByHand, turns, until } from './loopback.ts'
import { script, Witness } from './processes.ts'
import { directory } from './worlds.ts'

describe('a child process', () => {
  it('is written to, says something, and ends', async () => {
    const [seen, child] = await script(new Witness(), 'read line; echo "heard $line"; echo oh >&2')
    expect(child.pid).toBeGreaterThan(0)
    child.write('a poem\n')
    expect(await child.whenEnded()).toBeInstanceOf(ProcessDone)
    expect(seen).toMatchObject({ out: 'heard a poem\n', err: 'oh\n' })
    expect(child.pid).toBeUndefined()
  })

  it('is told of in order: connectionMade first, processEnded last, everything once', async () => {
    const [seen, child] = await script(new Witness(), 'echo out; echo err >&2; exec >&- 2>&-; exit 0')
    await child.whenEnded()
    expect(seen.calls[0]).toBe('connectionMade')
    expect(seen.calls.at(-1)).toBe('processEnded')
    expect(seen.calls.toSorted()).toEqual(
      ['connectionMade', 'errConnectionLost', 'errReceived', 'inConnectionLost', 'outConnectionLost', 'outReceived']
        .concat('processEnded', 'processExited')
        .toSorted(),
    )
  })

  it.each([
    ['exit 3', 3, undefined],
    ['kill -KILL $$', undefined, 'SIGKILL'],
  ])('that does `%s` has terminated, and says how', async (text, exitCode, signal) => {
    const [seen, child] = await script(new Witness(), text)
    const ending = await child.whenEnded()
    expect(ending).toBeInstanceOf(ProcessTerminated)
    expect(ending).toMatchObject({ exitCode, signal, code: 'ERR_PROCESS_TERMINATED' })
    expect(ending.cause).toBeUndefined()
    expect(seen.exited).toBe(ending)
    expect(seen.ended).toBe(ending)
  })

  it('finds nothing in its environment but what it was given', async () => {
    const reactor = new NodeReactor()
    const nothing = new Witness()
    await (await reactor.spawnProcess(nothing, '/usr/bin/env')).whenEnded()
    const something = new Witness()
    const env = { A: '1', B: undefined }
    await (await reactor.spawnProcess(something, '/usr/bin/env', [], { env })).whenEnded()
    expect([nothing.out, something.out]).toEqual(['', 'A=1\n'])
  })

  it('gets its arguments as they are: no shell reads them', async () => {
    const reactor = new NodeReactor()
    const seen = new Witness()
    const args = ['%s|', '$(id)', '; rm -rf x', '*', '', 'a b', '"']
    await (await reactor.spawnProcess(seen, '/usr/bin/printf', args)).whenEnded()
    expect(seen.out).toBe('$(id)|; rm -rf x|*||a b|"|')
  })

  it('starts where it is told to', async () => {
    const cwd = directory()
    const [seen, child] = await script(new Witness(), 'pwd', { cwd })
    await child.whenEnded()
    expect(seen.out).toBe(`${cwd}\n`)
  })

  it.skipIf(process.platform !== 'linux')('has none of our files and sockets open', async () => {
    const reactor = new NodeReactor()
    const port = await reactor.listen(anywhere, () => {})
    const links = (): string[] => readdirSync('/proc/self/fd').flatMap((fd) => linkOf(`/proc/self/fd/${fd}`))
    const ours = links().filter((link) => link.startsWith('socket:'))
    expect(ours.length).toBeGreaterThan(0)
    const [seen, child] = await script(new Witness(), 'readlink /proc/self/fd/*', {}, reactor)
    await child.whenEnded()
    await port.stopListening()
    const theirs = seen.out.split('\n')
    expect(theirs.length).toBeGreaterThan(3)
    expect(theirs.filter((link) => ours.includes(link))).toEqual([])
  })

  it('can be read while stdin is closed, and has all that was written before', async () => {
    const [seen, child] = await script(new Witness(), 'cat')
    child.writeSequence(['one ', 'two'])
    child.closeStdin()
    child.write('three')
    expect(await child.whenEnded()).toBeInstanceOf(ProcessDone)
    expect(seen.out).toBe('one two')
    expect(seen.calls.filter((call) => call === 'inConnectionLost')).toHaveLength(1)
  })

  it('that does not read its stdin any more is still heard', async () => {
    const [seen, child] = await script(new Witness(), 'exec <&-; echo closed; read x <&2; echo heard; exit 4')
    await until(() => seen.out !== '')
    child.write('nobody reads this')
    await until(() => seen.calls.includes('inConnectionLost'))
    child.write('nor this')
    expect(child.queued).toBe(0)
    expect(seen.ended).toBeUndefined()
    child.closeStderr()
    expect(await child.whenEnded()).toMatchObject({ exitCode: 4 })
    expect(seen.out).toBe('closed\nheard\n')
  })

  it('that goes without having read its stdin has ended as it says, and all that it said is heard', async () => {
    const [seen, child] = await script(new Witness(), 'echo enough')
    child.write('x'.repeat(900_000))
    expect(await child.whenEnded()).toBeInstanceOf(ProcessDone)
    expect(seen.out).toBe('enough\n')
  })

  it('notices that we read no more of its stdout', async () => {
    const [seen, child] = await script(new Witness(), 'echo first; yes; echo "$? is the end of yes" >&2')
    await until(() => seen.out !== '')
    child.closeStdout()
    await child.whenEnded()
    expect(seen.err).toContain('is the end of yes')
    expect(seen.calls.filter((call) => call === 'outConnectionLost')).toHaveLength(1)
  })

  it('sends its stderr where it was told to', async () => {
    const [seen, child] = await script(new Witness(), 'echo unheard >&2', { stderr: 'ignore' })
    await child.whenEnded()
    expect(seen.err).toBe('')
    expect(seen.calls).not.toContain('errConnectionLost')
  })
})

/** Listens to nothing until it is told to. */
class Patient extends Witness {
  override connectionMade(): void {
    super.connectionMade()
    this.transport.pauseProducing()
  }
}

/** One that was open while they were listed may be closed by now. */
function linkOf(path: string): string[] {
  try {
    return [readlinkSync(path)]
  } catch {
    return []
  }
}

describe('a process that cannot be started', () => {
  const file = (mode: number, text = ''): string => {
    const path = join(directory(), 'program')
    writeFileSync(path, text, { mode })
    return path
  }

  it.each<[string, () => [string, string[]?, object?], SpawnError['fault'], RegExp]>([
    ['is missing', () => ['/no/such/program'], 'executable', /there is no such file/],
    ['is not in the PATH', () => ['no-such-program', [], { env: { PATH: '/bin' } }], 'executable', /its PATH, "\/bin"/],
    ['needs a PATH', () => ['no-such-program'], 'executable', /no PATH was given/],
    ['is not executable', () => [file(0o644)], 'executable', /chmod \+x/],
    ['is a directory', () => ['/tmp'], 'executable', /it is a directory/],
    ['is in a file', () => ['/etc/passwd/x'], 'executable', /there is no such file/],
    ['has no interpreter', () => [file(0o755, '#!/no/such\n')], 'executable', /its interpreter/],
    ['starts nowhere', () => ['/bin/true', [], { cwd: '/no/such' }], 'directory', /no directory "\/no\/such"/],
    ['starts in a file', () => ['/bin/true', [], { cwd: '/etc/passwd' }], 'directory', /is no directory/],
    ['has too many arguments', () => ['/bin/true', ['x'.repeat(3_000_000)]], 'arguments', /too large/],
    ['has a zero byte in an argument', () => ['/bin/true', ['a\0b']], 'arguments', /null bytes/],
    ['has no name', () => [''], 'arguments', /cannot be empty/],
  ])('because it %s fails, typed, and calls no hook', async (_, args, fault, message) => {
    const reactor = new NodeReactor()
    const seen = new Witness()
    const failed = reactor.spawnProcess(seen, ...args())
    expect(failed.called).toBe(false)
    const error: unknown = await failed.toPromise().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(SpawnError)
    expect(error).toMatchObject({ fault, code: 'ERR_SPAWN', message: expect.stringMatching(message) as string })
    expect((error as Error).cause).toBeInstanceOf(Error)
    expect(seen.calls).toEqual([])
    expect(reactor.stats()).toMatchObject({ children: 0, timers: 0 })
  })

  it('because we changed our mind is killed', async () => {
    const reactor = new NodeReactor()
    const spawned = reactor.spawnProcess(new Witness(), '/bin/sleep', ['1000'])
    expect(reactor.stats().children).toBe(1)
    spawned.cancel()
    await expect(spawned).rejects.toBeInstanceOf(ConnectingCancelledError)
    await until(() => reactor.stats().children === 0)
  })

  it('leaves nothing open', async () => {
    const reactor = new NodeReactor()
    // What else is active is the test runner's.
    const open = (): number => process.getActiveResourcesInfo().filter((name) => /^(Pipe|Process)/.test(name)).length
    const before = open()
    const failed = reactor.spawn(new ProcessAddress('/no/such/program'))
    await expect(failed).rejects.toBeInstanceOf(SpawnError)
    await until(() => open() <= before)
  })
})

describe('ending a child process', () => {
  it('is a signal, which it can see', async () => {
    const [seen, child] = await script(new Witness(), 'trap "echo bye; exit 7" TERM; echo ready; read x; read x')
    await until(() => seen.out !== '')
    child.signalProcess('SIGTERM')
    expect(await child.whenEnded()).toMatchObject({ exitCode: 7 })
    expect(seen.out).toBe('ready\nbye\n')
  })

  it('throws for a signal that comes too late, or is none', async () => {
    const [, child] = await script(new Witness(), 'read x')
    expect(() => child.signalProcess('SIGPOEM')).toThrow(TypeError)
    child.closeStdin()
    await child.whenEnded()
    expect(() => child.signalProcess('SIGTERM')).toThrow(ProcessExitedAlready)
  })

  it('escalates, for one that ignores SIGTERM', async () => {
    const reactor = new ReactorByHand()
    const text = 'trap "echo no" TERM; echo ready; while :; do read x; done'
    const [seen, child] = await script(new Witness(), text, {}, reactor)
    await until(() => seen.out !== '')
    const ending = child.terminate({ killAfter: 50 })
    await until(() => seen.out === 'ready\nno\n')
    reactor.clock.advance(49)
    expect(seen.exited).toBeUndefined()
    reactor.clock.advance(1)
    expect(await ending).toMatchObject({ signal: 'SIGKILL' satisfies Signal })
    await child.whenEnded()
    expect(seen.out).toBe('ready\nno\n')
    await until(() => reactor.stats().children === 0)
    expect(reactor.clock.pending()).toEqual([])
  })

  it('needs no second signal for one that obeys, and may come twice', async () => {
    const [, child, reactor] = await script(new Witness(), 'read x')
    const [first, second] = [child.terminate(), child.terminate({ signal: 'SIGHUP' })]
    expect(await first).toBe(await second)
    expect(await child.terminate()).toBe(await first)
    await child.whenEnded()
    expect(reactor.stats().timers).toBe(0)
  })

  it('by losing the connection lets it finish', async () => {
    const [seen, child] = await script(new Witness(), 'cat >/dev/null; exit 5')
    child.write('all of this')
    child.loseConnection()
    expect(await child.whenEnded()).toMatchObject({ exitCode: 5 })
    expect(seen.out).toBe('')
  })

  it('by losing the connection is bounded, for one that ignores everything', async () => {
    const text = 'trap "" TERM HUP PIPE; echo ready; exec sleep 1000'
    const [seen, child, reactor] = await script(new Witness(), text, { linger: 20 })
    await until(() => seen.out !== '')
    child.loseConnection()
    expect(await child.whenEnded()).toMatchObject({ signal: 'SIGKILL' })
    expect(seen.calls.at(-1)).toBe('processEnded')
    await until(() => reactor.stats().timers === 0)
  })

  it('by aborting it is at once', async () => {
    const [seen, child] = await script(new Witness(), 'trap "" TERM; read x')
    const cause = new Error('enough')
    child.abortConnection(cause)
    expect(seen.calls).toEqual(['connectionMade'])
    expect(await child.whenEnded()).toMatchObject({ signal: 'SIGKILL', cause })
  })

  it('does not wait for its own processes, which keep its pipes open', async () => {
    const [seen, child] = await script(new Witness(), 'sleep 1000 & echo $!; exit 2', { linger: 20 })
    const ending = await child.whenEnded()
    process.kill(Number(seen.out), 'SIGKILL')
    expect(ending).toMatchObject({ exitCode: 2 })
    expect(ending.cause).toBeUndefined()
    expect(seen.calls.indexOf('processExited')).toBeLessThan(seen.calls.indexOf('outConnectionLost'))
    expect(seen.calls.at(-1)).toBe('processEnded')
  })

  it('loses nothing that is held back', async () => {
    const [seen, child, reactor] = await script(new Patient(), 'echo said before the end', { linger: 1 })
    await until(() => seen.exited !== undefined)
    // Time enough for everybody to lose patience.
    for (let n = 0; n < 3; n++) await new Promise<void>((resolve) => void reactor.callLater(2, resolve))
    expect(seen).toMatchObject({ out: '', ended: undefined })
    child.resumeProducing()
    await child.whenEnded()
    expect(seen.out).toBe('said before the end\n')
  })
})

describe('a child process and memory', () => {
  it('that says more than we read has to wait', async () => {
    const cwd = directory()
    // The first part is so small that it leaves at once.
    const text = 'printf x; : >begun; head -c 2999999 /dev/zero; : >over'
    const [seen, child] = await script(new Patient(), text, { cwd })
    await until(() => existsSync(join(cwd, 'begun')))
    await turns(50)
    expect(child.paused).toBe(true)
    expect(seen.out.length).toBe(0)
    expect([seen.exited, existsSync(join(cwd, 'over'))]).toEqual([undefined, false])
    child.resumeProducing()
    await child.whenEnded()
    expect(seen.out.length).toBe(3_000_000)
  })

  it('that never reads is killed when too much waits for it, and nobody takes half for the whole', async () => {
    const [, child] = await script(new Witness(), 'exec sleep 1000')
    for (let n = 0; n < 20; n++) child.write(new Uint8Array(100_000))
    const ending = await child.whenEnded()
    expect(ending).toMatchObject({ signal: 'SIGKILL' })
    expect(ending.cause).toBeInstanceOf(SendQueueOverflow)
  })

  it('pauses the producer that writes to it', async () => {
    const cwd = directory()
    execFileSync('mkfifo', ['word'], { cwd })
    // It reads when it is told to, and not while we write: it may be on another processor.
    const [, child] = await script(new Witness(), 'read word <word; exec wc -c', { cwd })
    const calls: string[] = []
    const producer = {
      pauseProducing: () => void calls.push('pause'),
      resumeProducing: () => {
        calls.push('resume')
        child.unregisterProducer()
      },
      stopProducing: () => void calls.push('stop'),
    }
    child.registerProducer(producer, true)
    child.write('x'.repeat(500_000))
    child.closeStdin()
    expect(calls).toEqual(['pause'])
    await writeFile(join(cwd, 'word'), 'go\n')
    await child.whenEnded()
    expect(calls).toEqual(['pause', 'resume'])
  })

  it('that writes while it reads does not wait for us, nor we for it', async () => {
    const [seen, child] = await script(new Witness(), 'cat')
    child.write(new Uint8Array(900_000))
    child.closeStdin()
    await child.whenEnded()
    expect(seen.out.length).toBe(900_000)
  })
})

describe('a hook that throws', () => {
  it.each(['outReceived', 'errReceived', 'inConnectionLost'] as const)('in %s kills the process', async (hook) => {
    const reported = takeReports()
    const error = new Error('no')
    class Bad extends Witness {
      override outReceived(chunk: Uint8Array): void {
        super.outReceived(chunk)
        if (hook === 'outReceived') throw error
      }
      override errReceived(chunk: Uint8Array): void {
        super.errReceived(chunk)
        if (hook === 'errReceived') throw error
      }
      override inConnectionLost(): void {
        super.inConnectionLost()
        if (hook === 'inConnectionLost') throw error
      }
    }
    const [seen, child] = await script(new Bad(), 'echo out; echo err >&2; trap "" TERM; exec sleep 1000')
    if (hook === 'inConnectionLost') child.closeStdin()
    expect(await child.whenEnded()).toMatchObject({ signal: 'SIGKILL', cause: error })
    expect(seen.calls.at(-1)).toBe('processEnded')
    expect(reported).toEqual([
      expect.objectContaining({ error, what: expect.stringContaining(`${hook} of Bad`) as string }),
    ])
  })

  it('in connectionMade fails the attempt', async () => {
    const reactor = new NodeReactor()
    class Bad extends ProcessProtocol {
      override connectionMade(): void {
        throw new Error('not today')
      }
    }
    await expect(reactor.spawnProcess(new Bad(), '/bin/sleep', ['1000'])).rejects.toThrow('not today')
    await until(() => reactor.stats().children === 0)
  })

  it('at the end is only reported', async () => {
    const reported = takeReports()
    class Bad extends ProcessProtocol {
      override processEnded(): void {
        throw new Error('too late')
      }
    }
    const [, child] = await script(new Bad(), 'exit 0')
    expect(await child.whenEnded()).toBeInstanceOf(ProcessDone)
    expect(reported).toHaveLength(1)
  })
})

it('many child processes leave nothing: no descriptor, no timer, no zombie', () => runMany(25))
