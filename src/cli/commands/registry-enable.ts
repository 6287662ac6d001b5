import { resolve } from 'node:path'
import { BasaltError } from '../../errors.ts'
import { defaultListen } from '../../images/registry/server/loopback.ts'
import { defineCommand } from '../command.ts'
import { optional, textFlag, toggleFlag } from '../flags.ts'
import { renderRegistry } from '../render/registry.ts'

export const registryEnableCommand = defineCommand({
  name: 'registry enable',
  summary: 'serve an OCI registry: every release can be pulled, and images pushed; also after a restart',
  description:
    'Plain HTTP is served on loopback addresses only, where images can be pulled without a token; elsewhere give a certificate, which is read again when its files change. What is pushed needs a token: `basalt registry grant`.',
  flags: {
    cert: textFlag('file', 'certificate with its chain, in PEM', { completes: 'file' }),
    key: textFlag('file', "the certificate's key, in PEM", { completes: 'file' }),
    anonymousPull: toggleFlag(
      'let this machine pull images without a token, where only this machine is served (the default); --no-anonymous-pull: never',
      true,
    ),
  },
  args: { address: optional(`where to listen; default: ${defaultListen}`) },
  examples: [
    { command: 'basalt registry enable', does: `at ${defaultListen}, for this machine` },
    {
      command: 'basalt registry enable 0.0.0.0:5000 --cert tls.pem --key tls.key',
      does: 'for the nodes of a cluster',
    },
  ],
  schemas: ['basalt.registry/v1'],
  async run({ flags, args }, context) {
    const { cert, key } = flags
    if ((cert === null) !== (key === null))
      throw new BasaltError('request.invalid', {
        message: `--${cert === null ? 'key' : 'cert'} was given without --${cert === null ? 'cert' : 'key'}`,
        remedy: 'Give both, or none for plain HTTP on a loopback address.',
      })
    const tls =
      cert === null || key === null
        ? null
        : { certificate: resolve(context.folder, cert), key: resolve(context.folder, key) }
    const engine = await context.engine()
    const listen = args.address ?? defaultListen
    const document = await engine.enableRegistry({ listen, tls, anonymousPull: flags.anonymousPull })
    await context.output.result(document, () => renderRegistry(document, context.output.paint))
  },
})
