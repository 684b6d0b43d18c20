/** The recipes of docs/scale-out.md, as programs that tests start. */
import { connect } from 'node:net'
import { expect } from 'vitest'
import { activated, type HeldSocket } from '../node/generations.ts'
import { Load, type Serving } from '../node/rolling-restart.ts'
import { Program, type Started } from '../poetry/programs.ts'

/** Any free port of this machine. */
export const anywhere = 'tcp:0:interface=127.0.0.1'

/** The server, where the sockets are that systemd passes. */
export const activatedServer = `${process.execPath} -C @couplet/source --import tsx examples/scale-out/server.ts`
  .split(' ')
  .concat('systemd:name=lines')

/** What a server says when it is there: all of it, its number, and the port. */
export async function listens(program: Program, times = 1): Promise<string[][]> {
  return await program.prints(/^(\d+) listens on 127\.0\.0\.1:(\d+)$/, times)
}

/** Ends a program, and expects that it ends well. */
export async function end({ child, ended }: Program): Promise<void> {
  child.kill('SIGTERM')
  expect(await ended).toMatchObject({ code: 0, stderr: '' })
}

/** How 64 clients that come at once are shared out. */
export async function spread(started: Started, port: string | number | undefined): Promise<number[]> {
  const { code, stdout, stderr } = await started.example('scale-out/spread', `tcp:127.0.0.1:${port}`).ended
  expect([code, stderr]).toEqual([0, ''])
  return [...stdout.matchAll(/^\d+ answered (\d+)$/gm)].map(([, count]) => Number(count))
}

/** Whether somebody listens there. */
export function opens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return new Promise((resolve) => {
    socket.once('connect', () => socket.destroy())
    socket.once('close', (failed) => resolve(!failed))
    socket.on('error', () => {})
  })
}

/** Starts a server by this command, which finds the socket as systemd would pass it. */
export function inheriting(started: Started, held: HeldSocket, server: readonly string[]): () => Promise<Serving> {
  return async () => {
    const [command, ...args] = activated('lines', server)
    const program = started.add(new Program(command, args, [held.descriptor]))
    const [[, name = ''] = []] = await listens(program)
    return { name, stop: () => end(program) }
  }
}

/** The recipe, with so many workers. */
export async function cluster(
  started: Started,
  processes: number,
): Promise<{ readonly program: Program; readonly workers: string[][] }> {
  const program = started.example('scale-out/cluster', String(processes), anywhere)
  await program.prints(/^\d+ is the primary$/)
  return { program, workers: await listens(program, processes) }
}

/** Replaces both workers so many times, each time when all that are there have given `enough` answers. */
export async function replacedWorkers(started: Started, times: number, enough: number): Promise<Load> {
  const { program, workers } = await cluster(started, 2)
  const load = new Load(() => connect(Number(workers[0]![2]), '127.0.0.1'))
  for (let time = 0; time <= times; time++) {
    await program.prints(/^all are new$/, time)
    const present = (await listens(program, 2 * time + 2)).slice(-2)
    for (const [, name = ''] of present) await load.answered(name, enough)
    if (time < times) program.child.kill('SIGHUP')
  }
  await load.end()
  await end(program)
  return load
}
