/**
 * A descriptor that something else in this process listens at. In a file of its own: the handle that Node could not open
 * then stays, in Node, where `npm run leaks` would find it.
 */
import { createServer } from 'node:net'
import { CannotListenError, DescriptorAddress } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { expect, it } from 'vitest'
import { listening } from './loopback.ts'

it('a descriptor that is in use here is not listened at twice, and says so', async () => {
  const server = await listening(createServer())
  const descriptor: unknown = Reflect.get(Reflect.get(server, '_handle') as object, 'fd')
  const failed = new NodeReactor().listen(new DescriptorAddress(descriptor as number), () => {})
  const error: unknown = await failed.toPromise().catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(CannotListenError)
  expect((error as Error).message).toBe(
    `descriptor:${String(descriptor)}: cannot listen: this process uses this socket already`,
  )
})
