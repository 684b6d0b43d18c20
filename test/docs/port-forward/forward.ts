import {
  clientFromString,
  idleTimeout,
  limitConnections,
  portForward,
  type Reactor,
  serverFromString,
  withPolicies,
} from 'couplet'

export async function forward(reactor: Reactor, listen: string, connect: string): Promise<void> {
  const factory = new portForward.ProxyFactory(clientFromString(reactor, connect))
  const limited = withPolicies(factory, limitConnections(1000), idleTimeout(reactor, 3_600_000))
  const port = await serverFromString(reactor, listen).listen(limited)
  await reactor.whenStopped()
  await port.stopListening({ drain: 10_000 })
  await factory.whenIdle()
}
