"""What letters of eight specialties are about: problems, and what patients say, doctors find, order and give there.

Common knowledge of each specialty, put together for these cases; no clinician has reviewed it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Content:
    """Terms of one specialty. `problems` are dealt out to train and test; all else stands on both sides."""

    problems: tuple[str, ...]
    symptoms: tuple[str, ...]
    findings: tuple[str, ...]
    tests: tuple[str, ...]
    treatments: tuple[str, ...]


CONTENT = {
    "cardiology": Content(
        ("atrial fibrillation", "aortic stenosis", "stable angina", "dilated cardiomyopathy", "mitral regurgitation",
         "sinus node disease", "supraventricular tachycardia", "constrictive pericarditis", "atrial flutter"),
        ("palpitations", "chest tightness on stairs", "ankle swelling", "fainting on exertion", "racing heart"),
        ("an ejection systolic murmur", "an irregular pulse", "a raised jugular pressure", "a displaced apex beat"),
        ("echocardiogram", "24-hour tape", "exercise test", "coronary angiogram", "troponin"),
        ("bisoprolol", "apixaban", "a pacemaker", "valve replacement", "nitrate spray", "cardioversion"),
    ),
    "dermatology": Content(
        ("plaque psoriasis", "atopic eczema", "basal cell carcinoma", "lichen planus", "bullous pemphigoid",
         "hidradenitis", "rosacea", "actinic keratosis", "chronic urticaria"),
        ("an itchy rash", "scaly patches", "blisters on the arms", "a mole that changed", "flushed cheeks"),
        ("silvery scale", "pearly edges", "lichenified skin", "scattered papules", "excoriations"),
        ("punch biopsy", "patch testing", "dermoscopy", "skin scrapings", "immunofluorescence of skin"),
        ("emollients", "potent topical steroid", "phototherapy", "methotrexate", "cryotherapy", "excision"),
    ),
    "gastroenterology": Content(
        ("ulcerative colitis", "coeliac disease", "peptic ulcer", "Crohn's disease", "primary biliary cholangitis",
         "Barrett's oesophagus", "chronic pancreatitis", "alcoholic cirrhosis", "microscopic colitis"),
        ("bloody diarrhoea", "heartburn at night", "bloating after meals", "jaundice", "difficulty swallowing"),
        ("epigastric tenderness", "an enlarged liver", "ascites", "spider naevi", "a tender left lower abdomen"),
        ("colonoscopy", "gastroscopy", "faecal calprotectin", "liver function tests", "elastography"),
        ("mesalazine", "omeprazole", "a gluten-free diet", "azathioprine", "banding of varices", "lactulose"),
    ),
    "neurology": Content(
        ("focal epilepsy", "multiple sclerosis", "migraine with aura", "Parkinson's disease", "myasthenia gravis",
         "essential tremor", "cluster headache", "motor neurone disease", "trigeminal neuralgia"),
        ("numb fingers", "one-sided headache", "a shaking hand", "double vision when tired", "jerking of one arm"),
        ("brisk reflexes", "cogwheel rigidity", "an upgoing plantar", "fatigable ptosis", "sensory loss in the hand"),
        ("MRI of the brain", "electroencephalogram", "nerve conduction studies", "lumbar puncture", "muscle biopsy"),
        ("lamotrigine", "levodopa", "a triptan", "propranolol for the tremor", "pyridostigmine", "carbamazepine"),
    ),
    "ophthalmology": Content(
        ("open-angle glaucoma", "cataract", "diabetic retinopathy", "macular degeneration", "anterior uveitis",
         "retinal detachment", "blepharitis", "keratoconus", "retinal vein occlusion"),
        ("blurred central vision", "flashes and floaters", "a gritty red eye", "glare from headlights", "wavy lines"),
        ("a raised eye pressure", "cells in the anterior chamber", "lens opacity", "cupped discs", "retinal oedema"),
        ("visual fields", "retinal tomography", "slit-lamp examination", "fluorescein angiography", "corneal mapping"),
        ("latanoprost drops", "a lens", "intravitreal injections", "laser to the retina", "lid hygiene", "eyepatch"),
    ),
    "orthopaedics": Content(
        ("hip osteoarthritis", "meniscal tear", "rotator cuff tear", "carpal tunnel syndrome", "distal radius fracture",
         "frozen shoulder", "hallux valgus", "Achilles rupture", "anterior cruciate ligament tear"),
        ("a stiff hip", "a locking knee", "shoulder pain at night", "a painful wrist after a fall", "a limp"),
        ("reduced internal rotation", "joint line tenderness", "an effusion in the knee", "weak abduction", "crepitus"),
        ("weight-bearing X-ray", "MRI of the knee", "ultrasound of the shoulder", "CT of the joint", "bone density"),
        ("joint replacement", "arthroscopy", "physiotherapy", "an injection into the joint", "a cast", "a brace"),
    ),
    "pulmonology": Content(
        ("severe asthma", "COPD", "bronchiectasis", "sarcoidosis of the lung", "idiopathic pulmonary fibrosis",
         "obstructive sleep apnoea", "pleural plaques", "hypersensitivity pneumonitis", "chronic cough"),
        ("breathlessness on the flat", "a productive cough", "wheeze at night", "loud snoring", "coughing fits"),
        ("bibasal crackles", "expiratory wheeze", "finger clubbing", "a hyperinflated chest", "dull percussion"),
        ("spirometry", "high-resolution CT of the chest", "overnight oximetry", "sputum culture", "peak flow diary"),
        ("an inhaler", "pulmonary rehabilitation", "home oxygen", "nintedanib", "a CPAP mask", "daily azithromycin"),
    ),
    "urology": Content(
        ("benign prostatic enlargement", "ureteric stone", "bladder cancer", "overactive bladder", "urethral stricture",
         "hydrocele", "recurrent cystitis", "renal mass", "varicocele"),
        ("a poor urinary stream", "blood in the urine", "loin pain", "rising four times a night", "urgency with leaks"),
        ("a smooth enlarged prostate", "loin tenderness", "a palpable bladder", "a scrotal swelling"),
        ("flexible cystoscopy", "PSA", "flow rate", "CT of the urinary tract", "residual volume scan"),
        ("tamsulosin", "a ureteric stent", "lithotripsy", "transurethral resection", "solifenacin", "a catheter"),
    ),
}  # fmt: skip
