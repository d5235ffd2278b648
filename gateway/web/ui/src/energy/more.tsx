// Placeholder until it is drawn.
export default function More() {
  return null;
}
