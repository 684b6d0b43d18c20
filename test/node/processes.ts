/** Shell scripts to run as child processes. */
import type { ProcessProtocol, ProcessTransport, SpawnOptions } from 'couplet'
import { NodeReactor } from 'couplet/node'

/** Runs a shell script, which is the program here: its `$1` and so on are `args`. */
export async function script<P extends ProcessProtocol>(
  protocol: P,
  text: string,
  options: SpawnOptions = {},
  reactor: NodeReactor = new NodeReactor(),
): Promise<[P, ProcessTransport, NodeReactor]> {
  const transport = await reactor.spawnProcess(protocol, '/bin/sh', ['-c', text], options)
  return [protocol, transport, reactor]
}
