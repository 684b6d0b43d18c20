/**
 * Whether several sockets can share a port here (SO_REUSEPORT): Node learned it late, and ignores the wish before.
 */

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const nodeKnowsIt = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)

/** Why `reusePort` cannot be had, for people; `undefined` if Node knows it: the system may still say no. */
export function whyNoReusePort(): string | undefined {
  if (nodeKnowsIt) return undefined
  return (
    `reusePort needs Node 22.12 or 23.1, and this is ${process.versions.node} (node:cluster shares a port among processes` +
    ' with every version)'
  )
}
