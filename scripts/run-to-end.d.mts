export function runToEnd(
  program: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; limitSeconds: number },
): Promise<{ output: string; ended: string | null }>
