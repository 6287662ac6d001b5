import { defineCommand } from '../command.ts'
import { completionScripts } from '../completion/scripts.ts'

const shells = Object.keys(completionScripts)

export const completionCommand = defineCommand({
  name: 'completion',
  summary: 'print a script that completes commands, flags and names in your shell',
  flags: {},
  args: { shell: { summary: shells.join(', '), required: true, choices: shells } },
  examples: [
    { command: 'source <(basalt completion bash)', does: 'bash; put it into ~/.bashrc' },
    { command: 'source <(basalt completion zsh)', does: 'zsh; put it into ~/.zshrc, after compinit' },
    { command: 'basalt completion fish | source', does: 'fish; put it into config.fish' },
  ],
  schemas: ['basalt.completion/v1'],
  async run({ args }, context) {
    const script = completionScripts[args.shell] ?? ''
    await context.output.result({ schema: 'basalt.completion/v1', shell: args.shell, script }, () =>
      script.trimEnd(),
    )
  },
})
