"""Cases of acute kidney injury, staged by KDIGO 2012 from creatinine and urine output."""
