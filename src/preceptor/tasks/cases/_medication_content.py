"""What patients of `medication` have: diseases with their names and drugs, procedures, and which drugs rule others out.

Common knowledge, much simplified and put together for these cases; no clinician has reviewed it, and nobody is to be
treated by it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Disease:
    """names: how a list of diagnoses may call it; they share words. first: its drugs from the first visit on. second:
    what comes on top where it was there at an earlier visit.
    """

    names: tuple[str, str, str, str, str, str]
    first: tuple[str, ...]
    second: tuple[str, ...] = ()


CHRONIC = {
    "heart failure": Disease(
        ("heart failure", "congestive heart failure", "left heart failure", "systolic heart failure",
         "heart failure with reduced ejection fraction", "decompensated failure of the heart"),
        ("furosemide", "bisoprolol"), ("spironolactone",),
    ),
    "hypertension": Disease(
        ("essential hypertension", "arterial hypertension", "benign hypertension", "hypertensive disease",
         "hypertension of long standing", "high blood pressure, hypertensive"),
        ("amlodipine",), ("ramipril",),
    ),
    "diabetes": Disease(
        ("type 2 diabetes mellitus", "diabetes mellitus of adult onset", "non-insulin-dependent diabetes",
         "diabetes mellitus with high glucose", "type 2 diabetes with neuropathy", "diabetic foot in type 2 diabetes"),
        ("metformin",), ("gliclazide",),
    ),
    "atrial fibrillation": Disease(
        ("atrial fibrillation", "paroxysmal atrial fibrillation", "persistent atrial fibrillation",
         "permanent fibrillation of the atria", "atrial fibrillation with fast rate", "chronic atrial fibrillation"),
        ("apixaban", "bisoprolol"),
    ),
    "COPD": Disease(
        ("chronic obstructive pulmonary disease", "obstructive airway disease", "obstructive chronic bronchitis",
         "pulmonary emphysema, obstructive", "chronic airway obstruction", "exacerbated obstructive pulmonary disease"),
        ("salbutamol",), ("tiotropium",),
    ),
    "epilepsy": Disease(
        ("epilepsy", "focal epilepsy", "generalised epilepsy", "epilepsy with tonic-clonic seizures",
         "recurrent epileptic seizures", "epileptic seizures of the temporal lobe"),
        ("lamotrigine",), ("levetiracetam",),
    ),
    "rheumatoid arthritis": Disease(
        ("rheumatoid arthritis", "seropositive rheumatoid arthritis", "rheumatoid disease of the hands",
         "rheumatoid arthritis of several joints", "polyarthritis, rheumatoid", "erosive rheumatoid arthritis"),
        ("methotrexate", "folic acid"), ("prednisolone",),
    ),
    "depression": Disease(
        ("major depression", "depressive episode", "recurrent depressive disorder", "major depressive disorder",
         "depressive disorder of old age", "depression with anxiety"),
        ("sertraline",), ("mirtazapine",),
    ),
    "hypothyroidism": Disease(
        ("hypothyroidism", "autoimmune hypothyroidism", "acquired hypothyroidism", "postsurgical hypothyroidism",
         "thyroid hormone deficiency", "thyroid failure after thyroiditis"),
        ("levothyroxine",),
    ),
    "Parkinson's disease": Disease(
        ("Parkinson's disease", "idiopathic parkinsonism", "paralysis agitans, Parkinson's",
         "parkinsonian tremor", "parkinsonism with rigidity", "Parkinson's disease of early onset"),
        ("levodopa",), ("pramipexole",),
    ),
}  # fmt: skip
"""Once there they stay, under the same name."""

AGES = ("18-49", "50-69", "70 and over")
WHO = {
    "heart failure": ((1, 3, 6), 0.5),
    "hypertension": ((2, 4, 4), 0.5),
    "diabetes": ((2, 5, 3), 0.45),
    "atrial fibrillation": ((1, 3, 6), 0.45),
    "COPD": ((1, 5, 4), 0.45),
    "epilepsy": ((5, 3, 2), 0.5),
    "rheumatoid arthritis": ((3, 5, 2), 0.7),
    "depression": ((5, 3, 2), 0.65),
    "hypothyroidism": ((3, 4, 3), 0.8),
    "Parkinson's disease": ((1, 3, 6), 0.4),
}
"""Chronic disease -> how its patients are spread over `AGES`, in tenths, and the share of women among them. Rough
tendencies, made up: they say who may have a disease, and nothing of drugs that the disease does not say.
"""

ACUTE = {
    "pneumonia": Disease(
        ("pneumonia", "bacterial pneumonia", "lobar pneumonia", "bronchopneumonia", "pneumonia of the left lung",
         "community-acquired pneumonia"),
        ("amoxicillin",),
    ),
    "urinary infection": Disease(
        ("urinary tract infection", "infection of the bladder", "acute cystitis of the urinary bladder",
         "lower urinary tract infection", "recurrent urinary infection", "bacterial infection of the urine"),
        ("nitrofurantoin",),
    ),
    "peptic ulcer": Disease(
        ("peptic ulcer", "gastric ulcer", "duodenal ulcer", "ulcer of the stomach", "peptic ulcer disease",
         "prepyloric gastric ulcer"),
        ("omeprazole",),
    ),
    "gout": Disease(
        ("gout", "acute gout", "gouty arthritis", "gout of the big toe", "gouty attack of the knee",
         "recurrent attack of gout"),
        ("colchicine",), ("allopurinol",),
    ),
    "migraine": Disease(
        ("migraine", "migraine with aura", "common migraine", "attack of migraine", "classical migraine headache",
         "hemiplegic migraine"),
        ("sumatriptan",),
    ),
    "venous thrombosis": Disease(
        ("deep vein thrombosis", "venous thrombosis of the leg", "thrombosis of the femoral vein",
         "thrombosis of the popliteal vein", "venous thrombosis of the arm", "deep vein thrombosis of the calf"),
        ("enoxaparin",),
    ),
}  # fmt: skip
"""They come and go."""

GRADES = (
    "", ", unspecified", " with complication", " without complication", ", further care", ", first contact",
    ", not otherwise specified", ", late effect", ", under observation", ", other form",
)  # fmt: skip
"""Behind any name, as in catalogues of diagnoses; they say nothing of the drugs, and make ten codes of a name."""

PROCEDURES = {
    "total hip replacement": ("enoxaparin", "paracetamol"),
    "insertion of coronary stent": ("aspirin", "clopidogrel"),
    "suture of a wound": ("paracetamol",),
    "colonoscopy": ("macrogol",),
    "haemodialysis": ("epoetin",),
    "transthoracic echocardiogram": (),
    "computed tomography of the head": (),
}
"""Procedure -> the drugs that it asks for at that visit."""

SHUN = {
    "bisoprolol": ("COPD", "amlodipine"),
    "nitrofurantoin": ("haemodialysis", "amoxicillin"),
    "metformin": ("haemodialysis", "gliclazide"),
    "sumatriptan": ("depression", "paracetamol"),
    "enoxaparin": ("atrial fibrillation", "apixaban"),
}
"""Drug -> the disease or procedure beside which it is not given, and what is given in its place."""

DRUGS = (
    "allopurinol", "amlodipine", "amoxicillin", "apixaban", "aspirin", "bisoprolol", "clopidogrel", "colchicine",
    "enoxaparin", "epoetin", "folic acid", "furosemide", "gliclazide", "lamotrigine", "levetiracetam", "levodopa",
    "levothyroxine", "macrogol", "metformin", "methotrexate", "mirtazapine", "nitrofurantoin", "omeprazole",
    "paracetamol", "pramipexole", "prednisolone", "ramipril", "salbutamol", "sertraline", "spironolactone",
    "sumatriptan", "tiotropium",
)  # fmt: skip
