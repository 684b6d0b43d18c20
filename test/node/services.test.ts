/** A program made of services, as a process of its own: how it ends. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, it } from 'vitest'
import { Started } from '../poetry/programs.ts'

const started = new Started()
afterEach(() => started.end())

/** The program, and so many clients in the middle of what it has to say. */
async function serving(kind: 'poet' | 'stubborn', clients: number) {
  const program = started.program(
    process.execPath,
    '-C',
    '@couplet/source',
    '--import',
    'tsx',
    'test/node/poetry-service.program.ts',
    kind,
  )
  const [[, port] = []] = await program.prints(/^listening on 127\.0\.0\.1:(\d+)$/)
  const sockets = Array.from({ length: clients }, () => connect(Number(port), '127.0.0.1'))
  await Promise.all(sockets.map((socket) => once(socket, 'readable')))
  return { program, sockets }
}

const lengthOf = async (socket: Socket): Promise<number> => (await text(socket)).length

it('SIGTERM in the middle of 100 poems: all hear the rest, the program exits with 0, and nothing of it is left', async () => {
  const { program, sockets } = await serving('poet', 100)
  const lengths = Promise.all(sockets.map(lengthOf))
  program.child.kill('SIGTERM')
  expect(new Set(await lengths)).toEqual(new Set([40_000]))
  expect(await program.ended).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^listening on \S+\nleft: nothing\n$/),
    stderr: '',
  })
})

it('a second SIGTERM ends it at once, and clients see that they were cut off', async () => {
  const { program, sockets } = await serving('stubborn', 3)
  const ends = sockets.map((socket) => text(socket).catch((error: NodeJS.ErrnoException) => error.code))
  program.child.kill('SIGTERM')
  await program.prints(/^told to stop$/)
  // Its own client is asked as well, if that is connected already.
  await program.prints(/^asked to stop$/, 3)
  program.child.kill('SIGTERM')
  expect(await program.ended).toMatchObject({ code: 143, stderr: '' })
  expect(await Promise.all(ends)).toEqual(['ECONNRESET', 'ECONNRESET', 'ECONNRESET'])
})
