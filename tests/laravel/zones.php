<?php

// Writes restores of a winter's day whose evidence is captured at no fixed time after them, and prints how many.

declare(strict_types=1);

$hours = intdiv(time() - strtotime('2025-01-15 12:00 UTC'), 3600);
require __DIR__ . '/models.php';

foreach (range(1, 22) as $number) {
    $restored = $restore(['applied', 'applied']);
    $audit($restored, 'success');
    later($number * 7 % 23);
    $evidence($restored);
}
EvidenceSnapshot::query()->update(['expires_at' => null]);
echo EvidenceSnapshot::count(), "\n";
