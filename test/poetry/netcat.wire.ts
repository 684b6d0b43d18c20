import { once } from 'node:events'
import { builtInPoems } from 'couplet/poetry'
import { afterEach, describe, expect, it } from 'vitest'
import { Started } from './programs.ts'

const started = new Started()

afterEach(() => started.end())

describe('netcat', () => {
  it.each([['-d'], ['-N']])('reads a poem from slowpoetry (nc %s)', async (flag) => {
    const server = started.poetry('slowpoetry', '--port', '0', '--delay', '10ms', '--num-bytes', '7')
    const ports = await server.prints(/^listening on 127\.0\.0\.1:(\d+): .*\n/, 3)
    const poems = await Promise.all(ports.map(([, port = '']) => started.program('nc', flag, '127.0.0.1', port).ended))
    expect(poems).toEqual(builtInPoems.map(({ text }) => ({ code: 0, stdout: text, stderr: '' })))
  })

  it('serves a poem to get-poetry', async () => {
    const server = started.program('sh', '-c', "printf 'one\\ntwo\\n' | nc -lvN 127.0.0.1 0")
    const [[, port = ''] = []] = await server.prints(/^Listening on \S+ (\d+)\n/)
    const client = await started.poetry('get-poetry', port).ended
    expect([client.code, client.stdout]).toEqual([0, 'one\ntwo\n'])
  })

  it('leaves in the middle of a poem, and slowpoetry serves the next one', async () => {
    const server = started.poetry('slowpoetry', '--port', '0', '--delay', '10ms')
    const [[, port = ''] = []] = await server.prints(/^listening on 127\.0\.0\.1:(\d+): .*\n/, 3)
    const leaver = started.program('nc', '-d', '127.0.0.1', port)
    await leaver.prints(/\n/)
    leaver.child.kill('SIGKILL')
    await once(leaver.child, 'close')
    const { code, stdout } = await started.program('nc', '-d', '127.0.0.1', port).ended
    expect([code, stdout]).toEqual([0, builtInPoems[0].text])
  })
})
