import { type Scope, scopes } from '../../images/registry/server/scope.ts'
import { defineCommand, type Flag } from '../command.ts'
import { required } from '../flags.ts'

const scopeFlag: Flag<Scope> = {
  kind: 'value',
  placeholder: 'scope',
  summary: 'pull; push, which pulls too; or delete, which does all three',
  choices: scopes,
  expects: 'pull, push or delete',
  parse: (text) => scopes.find((known) => known === text),
  absent: 'pull',
}

export const registryGrantCommand = defineCommand({
  name: 'registry grant',
  summary: 'make a token for the registry; it is shown once',
  description:
    'The name is the user name of a login, the token its password. Tokens hold for every repository and do not end by themselves.',
  flags: { scope: scopeFlag },
  args: { name: required('what the token is for') },
  examples: [
    {
      command:
        'basalt registry grant ci --scope push -q | docker login -u ci --password-stdin localhost:5000',
      does: 'log Docker in',
    },
    { command: 'basalt registry grant nodes', does: 'for machines that only pull' },
  ],
  schemas: ['basalt.registry-token/v1'],
  async run({ flags, args }, context) {
    const { output } = context
    const token = await (await context.engine()).grantRegistryToken({ name: args.name, scope: flags.scope })
    await output.result(token, () => token.secret)
    if (output.format === 'table') output.note(`Keep it: it cannot be shown again. It may ${token.scope}.`)
  },
})
