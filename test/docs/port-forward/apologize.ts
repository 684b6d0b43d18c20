import { portForward, sendProxyHeader, withPolicies } from 'couplet'

/** One end: tells its client in the client's own protocol that nobody is there. */
class WebServer extends portForward.ProxyServer {
  override clientConnectionFailed(_reason: Error) {
    this.transport.write('HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    this.transport.loseConnection()
  }
}

export class WebFactory extends portForward.ProxyFactory {
  override buildProtocol() {
    return new WebServer(this)
  }

  /** The other end: begins by telling the server for whom it connects. */
  override clientFactory(server: portForward.ProxyServer) {
    const { peer: source, host: destination } = server.transport
    return withPolicies(super.clientFactory(server), sendProxyHeader(2, { source, destination }))
  }
}
