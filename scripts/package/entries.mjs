// The modules that the package exports, below dist/ and without extension.

/** Modules that CommonJS programs get their own declarations of. */
export const entries = ['index', 'src/sv2/index']

/** All exported modules. */
export const exported = [...entries, 'src/sv2/messages/index']
