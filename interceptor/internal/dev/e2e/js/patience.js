// As e2e.Patience, in milliseconds: it only ends what hangs.
export const patience = 180_000;
