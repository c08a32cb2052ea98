#include <stdio.h>
#include <string.h>
#include <stdlib.h>

static char composite[10000];

int main(void) {
  int count = 0;
  char text[16];
  for (int i = 2; i < (int)sizeof composite; i++) {
    if (composite[i]) continue;
    count++;
    snprintf(text, sizeof text, "%d", i);
    for (int j = 2 * i; j < (int)sizeof composite; j += i) composite[j] = 1;
  }
  printf("%d primes, the last one %s of %zu digits, and %.3f\n", count, text, strlen(text), atof(text) / 7);
  return 0;
}
