import { toBytes } from 'couplet'
import { connected, everyChunking } from 'couplet/testing'
import { expect, it } from 'vitest'
import { Shout } from '../../examples/shout-protocol.ts'

it('answers in capitals, however the bytes arrive', () => {
  everyChunking(toBytes('hello\r\nworld\r\n'), (chunks) => {
    const transport = connected(new Shout())
    for (const chunk of chunks) transport.receive(chunk)
    expect(transport.text()).toBe('HELLO\r\nWORLD\r\n')
  })
})
