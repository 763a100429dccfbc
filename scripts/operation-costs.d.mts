export function compareCosts(
  unit: string,
  known: Record<string, number>,
  found: Record<string, number>,
): { ok: boolean; line: string }[]
