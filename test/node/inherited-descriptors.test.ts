/** Sockets that were passed to this process: found in the environment, listened at, and refused for a reason. */
import { closeSync, openSync } from 'node:fs'
import { createSocket, type Socket as Datagrams } from 'node:dgram'
import { once } from 'node:events'
import { join } from 'node:path'
import { assert, constantFrom, integer, oneof, option, property, string } from 'fast-check'
import { CannotListenError, DescriptorAddress, IPv4Address, UNIXAddress } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { describe, expect, it } from 'vitest'
import { takeDescriptors } from '../../src/framework/node/inherited-descriptors.ts'
import { askOnce, generation, heldSocket } from './generations.ts'
import { directory } from './worlds.ts'

describe('what systemd has passed', () => {
  const passed = { LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'poem:', HOME: '/' }

  it('is found in the environment, with names, and taken out of there', () => {
    const env: NodeJS.ProcessEnv = { ...passed }
    expect(takeDescriptors(env, 7)).toEqual([new DescriptorAddress(3, 'poem'), new DescriptorAddress(4, '')])
    expect(env).toEqual({ HOME: '/' })
    expect(takeDescriptors(env, 7)).toEqual([])
  })

  it('to somebody else is none of ours, and stays', () => {
    const env: NodeJS.ProcessEnv = { ...passed }
    expect(takeDescriptors(env, 8)).toEqual([])
    expect(env).toEqual(passed)
  })

  it('is never more than the environment says, and never anything but descriptors from 3', () => {
    const text = oneof(
      string(),
      integer({ min: -10, max: 1100 }).map(String),
      constantFrom('7', '07', '+7', '7.0', '1e3', '99999'),
    )
    assert(
      property(text, text, option(string(), { nil: undefined }), (pid, count, names) => {
        const env = { LISTEN_PID: pid, LISTEN_FDS: count, ...(names === undefined ? {} : { LISTEN_FDNAMES: names }) }
        const found = takeDescriptors(env, 7)
        if (found.length === 0) return
        expect(pid).toBe('7')
        expect(found.map(({ descriptor }) => descriptor)).toEqual(
          Array.from({ length: Number(count) }, (_, n) => n + 3),
        )
      }),
    )
  })
})

/** What Node knows and does not tell. */
function descriptorOf(socket: Datagrams): number {
  const state = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol')
  const handle: unknown = Reflect.get(Reflect.get(socket, state!) as object, 'handle')
  return Reflect.get(handle as object, 'fd') as number
}

describe('a descriptor that nobody can listen at says why:', () => {
  const reactor = new NodeReactor()
  const failure = async (descriptor: number): Promise<string> => {
    const failed = reactor.listen(new DescriptorAddress(descriptor), () => {})
    const error: unknown = await failed.toPromise().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(CannotListenError)
    expect((error as Error).message).toContain(`descriptor:${descriptor}: cannot listen: `)
    return (error as Error).message
  }

  it('no number', async () => {
    expect(await failure(-1)).toContain('a whole number')
    expect(await failure(1.5)).toContain('a whole number')
  })

  it('a file', async () => {
    const file = openSync('/dev/null', 'r')
    expect(await failure(file)).toContain('not a socket')
    closeSync(file)
    expect(await failure(file)).toContain('no such file open')
  })

  it('a socket for datagrams', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1')
    await once(socket, 'listening')
    expect(await failure(descriptorOf(socket))).toContain('takes no connections')
    socket.close()
  })
})

describe('an inherited socket', () => {
  it.each([
    ['TCP', 'INET'],
    ['UNIX', 'UNIX'],
  ])(
    'of %s is listened at by its place and by its name; stopping closes it here and nowhere else',
    async (kind, domain) => {
      const held = heldSocket(kind === 'UNIX' ? join(directory(), 'socket') : undefined)
      for (const endpoint of [`systemd:domain=${domain}:index=0`, 'systemd:name=poem']) {
        const server = await generation(held.descriptor, endpoint, endpoint)
        expect(server.host).toMatch(kind === 'UNIX' ? /^unix:\(unnamed\)$/ : /^127\.0\.0\.1:\d+$/)
        expect(await askOnce(held.dial(), 'hello')).toBe(`${endpoint} hello\r\n`)
        expect(await server.ask('environment')).toBe('[]')
        expect(await server.ask('stop')).toBe('stopped')
        expect(await server.ask('listen')).toContain('no such file open')
        // Nobody accepts now, and nobody is refused: who comes waits for the next server.
        const early = held.dial()
        await once(early, 'connect')
        early.destroy()
        expect(await server.end()).toBe(0)
      }
    },
  )

  it('of another domain than was asked for is refused', async () => {
    const server = await generation(heldSocket().descriptor, 'systemd:domain=UNIX:index=0')
    expect(server.host).toBe('CannotListenError: systemd:index=0: cannot listen: its domain is INET, not UNIX')
  })

  it.each([
    ['systemd:index=1', 'it was not passed to this process, which has got 1: poem'],
    ['systemd:name=prose', 'it was not passed to this process, which has got 1: poem'],
  ])('is missing at %s', async (endpoint, why) => {
    const server = await generation(heldSocket().descriptor, endpoint)
    expect(server.host).toBe(`CannotListenError: ${endpoint}: cannot listen: ${why}`)
  })
})

it('a descriptor is the same whatever it is called', () => {
  expect(new DescriptorAddress(3, 'poem').equals(new DescriptorAddress(3))).toBe(true)
  expect(new DescriptorAddress(3).equals(new UNIXAddress('3'))).toBe(false)
  expect(new DescriptorAddress(3).equals(new IPv4Address('TCP', '127.0.0.1', 3))).toBe(false)
})
