"""What hospital stays are made of: conditions with their procedures, medicines, sites and clinics. All invented.

Names are written as the gold summary writes them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drug:
    """A medicine; `doses` rise from step to step. One stay has at most one drug of a `group`."""

    name: str
    group: str
    doses: tuple[str, ...]
    frequency: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A reason to be in hospital. Where there is a `site`, diagnosis and procedure have a side."""

    diagnosis: str
    procedure: str
    drugs: tuple[str, ...]
    clinics: tuple[str, ...]
    site: str | None = None


_DRUGS = (
    Drug("amlodipine", "calcium", ("5 mg", "10 mg"), "daily"),
    Drug("apixaban", "anticoagulant", ("2.5 mg", "5 mg"), "twice daily"),
    Drug("aspirin", "aspirin", ("75 mg", "150 mg"), "daily"),
    Drug("atorvastatin", "statin", ("20 mg", "40 mg", "80 mg"), "daily"),
    Drug("bisoprolol", "beta blocker", ("1.25 mg", "2.5 mg", "5 mg"), "daily"),
    Drug("ciprofloxacin", "antibiotic", ("250 mg", "500 mg"), "twice daily"),
    Drug("clindamycin", "antibiotic", ("150 mg", "300 mg"), "four times daily"),
    Drug("clopidogrel", "platelets", ("75 mg", "150 mg"), "daily"),
    Drug("dexamethasone", "steroid", ("2 mg", "4 mg", "8 mg"), "daily"),
    Drug("digoxin", "digoxin", ("62.5 mcg", "125 mcg", "250 mcg"), "daily"),
    Drug("doxycycline", "antibiotic", ("100 mg", "200 mg"), "daily"),
    Drug("enoxaparin", "anticoagulant", ("20 mg", "40 mg"), "daily"),
    Drug("furosemide", "diuretic", ("20 mg", "40 mg", "80 mg"), "daily"),
    Drug("gabapentin", "nerve pain", ("100 mg", "300 mg"), "three times daily"),
    Drug("lansoprazole", "acid", ("15 mg", "30 mg"), "daily"),
    Drug("levetiracetam", "seizures", ("250 mg", "500 mg", "750 mg"), "twice daily"),
    Drug("levothyroxine", "thyroid", ("50 mcg", "75 mcg", "100 mcg"), "daily"),
    Drug("losartan", "angiotensin", ("25 mg", "50 mg", "100 mg"), "daily"),
    Drug("metformin", "diabetes", ("500 mg", "850 mg", "1 g"), "twice daily"),
    Drug("metronidazole", "anaerobes", ("200 mg", "400 mg"), "three times daily"),
    Drug("mirtazapine", "mood", ("15 mg", "30 mg"), "daily"),
    Drug("omeprazole", "acid", ("20 mg", "40 mg"), "twice daily"),
    Drug("paracetamol", "pain", ("500 mg", "1 g"), "four times daily"),
    Drug("prednisolone", "steroid", ("20 mg", "30 mg", "40 mg"), "daily"),
    Drug("ramipril", "angiotensin", ("2.5 mg", "5 mg", "10 mg"), "daily"),
    Drug("rivaroxaban", "anticoagulant", ("15 mg", "20 mg"), "daily"),
    Drug("sertraline", "mood", ("50 mg", "100 mg"), "daily"),
    Drug("spironolactone", "potassium", ("12.5 mg", "25 mg", "50 mg"), "daily"),
    Drug("tamsulosin", "prostate", ("400 mcg", "800 mcg"), "daily"),
    Drug("ticagrelor", "platelets", ("60 mg", "90 mg"), "twice daily"),
)
DRUGS = {drug.name: drug for drug in _DRUGS}

# What patients take at home, whatever brings them in.
HOME_DRUGS = (
    "amlodipine", "atorvastatin", "bisoprolol", "gabapentin", "lansoprazole", "levothyroxine", "losartan",
    "metformin", "mirtazapine", "ramipril", "sertraline",
)  # fmt: skip

# What is stopped on a ward, and why.
STOPPED = {
    "amitriptyline": "confusion",
    "amlodipine": "ankle swelling",
    "citalopram": "low sodium",
    "diclofenac": "kidney injury",
    "doxazosin": "falls",
    "indapamide": "low sodium",
    "metformin": "low eGFR",
    "naproxen": "gastritis",
    "oxybutynin": "confusion",
    "ramipril": "kidney injury",
    "simvastatin": "muscle pain",
    "tramadol": "nausea",
    "verapamil": "slow pulse",
    "zopiclone": "falls",
}

# Nobody is given what one of these would forbid: none of them, and nothing of their kind, is among the drugs above.
ALLERGENS = {"penicillin": "rash", "latex": "hives", "codeine": "vomiting", "peanut": "wheeze", "erythromycin": "rash"}

PLACES = ("home", "home with carers", "nursing home", "rehabilitation ward")

# Dealt out in this order, so that sides, surgery and medicine stand on both sides of the split.
CONDITIONS = (
    Condition("hip fracture", "hip hemiarthroplasty", ("enoxaparin", "paracetamol"), ("fracture clinic",), "hip"),
    Condition("wrist fracture", "wrist fixation", ("paracetamol",), ("hand clinic", "bone clinic"), "wrist"),
    Condition("heart failure", "echocardiogram", ("furosemide", "bisoprolol", "spironolactone"), ("heart clinic",)),
    Condition("ureteric stone", "ureteric stent", ("tamsulosin", "paracetamol"), ("urology clinic",), "kidney"),
    Condition("leg cellulitis", "leg debridement", ("clindamycin", "paracetamol"), ("GP", "skin clinic"), "leg"),
    Condition("atrial fibrillation", "cardioversion", ("bisoprolol", "apixaban", "digoxin"), ("heart clinic", "GP")),
    Condition("pleural effusion", "chest drain", ("furosemide", "prednisolone"), ("chest clinic",), "lung"),
    Condition("pneumothorax", "pleurodesis", ("paracetamol",), ("chest clinic", "lung clinic"), "lung"),
    Condition("myocardial infarction", "coronary stent", ("aspirin", "ticagrelor", "atorvastatin"), ("heart clinic",)),
    Condition("knee infection", "knee washout", ("clindamycin", "paracetamol"), ("bone clinic",), "knee"),
    Condition("upper GI bleed", "gastroscopy", ("omeprazole", "bisoprolol"), ("liver clinic", "GP")),
    Condition("diverticulitis", "colonoscopy", ("ciprofloxacin", "metronidazole"), ("bowel clinic", "GP")),
    Condition("foot ulcer", "toe amputation", ("doxycycline", "aspirin"), ("foot clinic",), "foot"),
    Condition("renal abscess", "nephrostomy", ("ciprofloxacin", "paracetamol"), ("renal clinic", "GP"), "kidney"),
    Condition("cholecystitis", "cholecystectomy", ("metronidazole", "paracetamol"), ("surgical clinic",)),
    Condition("leg thrombosis", "leg thrombectomy", ("apixaban", "paracetamol"), ("vascular clinic",), "leg"),
    Condition("seizures", "lumbar puncture", ("levetiracetam", "dexamethasone"), ("seizure clinic",)),
    Condition("COPD exacerbation", "bronchoscopy", ("prednisolone", "doxycycline"), ("chest clinic", "GP")),
    Condition("inguinal hernia", "hernia repair", ("paracetamol", "lansoprazole"), ("surgical clinic",), "groin"),
    Condition("cerebral infarct", "carotid stent", ("clopidogrel", "atorvastatin"), ("stroke clinic",), "carotid"),
    Condition("pulmonary embolism", "vena cava filter", ("rivaroxaban", "paracetamol"), ("clotting clinic",)),
)  # fmt: skip
