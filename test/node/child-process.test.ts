/** Child processes of Node, where they are not as in any other world (see ../processes/contract.ts). */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ProcessAddress, type Signal, SpawnError } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { describe, expect, it } from 'vitest'
import { Patient, Witness } from '../processes/witness.ts'
import { runMany } from './child-processes.ts'
import { anywhere, ReactorByHand, turns, until } from './loopback.ts'
import { script } from './processes.ts'
import { directory } from './worlds.ts'

describe('a child process', () => {
  it('gets its arguments as they are: no shell reads them', async () => {
    const reactor = new NodeReactor()
    const seen = new Witness()
    const args = ['%s|', '$(id)', '; rm -rf x', '*', '', 'a b', '"']
    await (await reactor.spawnProcess(seen, '/usr/bin/printf', args)).whenEnded()
    expect(seen.out).toBe('$(id)|; rm -rf x|*||a b|"|')
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
})

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
    ['is not executable', () => [file(0o644)], 'executable', /chmod \+x/],
    ['is a directory', () => ['/tmp'], 'executable', /it is a directory/],
    ['is in a file', () => ['/etc/passwd/x'], 'executable', /there is no such file/],
    ['has no interpreter', () => [file(0o755, '#!/no/such\n')], 'executable', /its interpreter/],
    ['starts nowhere', () => ['/bin/true', [], { cwd: '/no/such' }], 'directory', /no directory "\/no\/such"/],
    ['starts in a file', () => ['/bin/true', [], { cwd: '/etc/passwd' }], 'directory', /is no directory/],
    ['has too many arguments', () => ['/bin/true', ['x'.repeat(3_000_000)]], 'arguments', /too large/],
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
})

it('many child processes leave nothing: no descriptor, no timer, no zombie', () => runMany(25))
