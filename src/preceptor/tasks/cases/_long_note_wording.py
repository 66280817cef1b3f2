"""How notes of `long_note` are worded: what any long stay in hospital is written up with, whoever the patient is."""

from preceptor.tasks.cases._wording import Side

LAYOUTS: dict[Side, tuple[str, ...]] = {
    "train": ("discharge letter", "course day by day", "summary in paragraphs"),
    "test": ("ward report", "record with headings"),
}
"""The wording families."""

HEADS: dict[Side, tuple[str, str, str]] = {
    "train": ("HISTORY:", "COURSE OF THE STAY:", "PLAN:"),
    "test": ("BACKGROUND", "ON THE WARD", "WHAT COMES NEXT"),
}
OPENINGS: dict[Side, tuple[str, ...]] = {
    "train": (
        "We report on this {age}-year-old {person}, who was with us for {stay} days because of {reason}.",
        "This {age}-year-old {person} came in because of {reason} and went home after {stay} days.",
    ),
    "test": ("{Person}, aged {age}, admitted with {reason}; length of stay {stay} days.",),
}
DAYS: dict[Side, tuple[str, ...]] = {
    "train": ("On day {day}", "Day {day} of the stay:"),
    "test": ("Day {day},", "{day} days after admission,"),
}
"""What a paragraph of the course begins with; a sentence follows in lower case."""

REASONS = (
    "pneumonia", "a fall", "cellulitis of the leg", "heart failure", "a kidney infection", "abdominal pain",
    "a fractured hip", "confusion", "diverticulitis", "a pulmonary embolism",
)  # fmt: skip
PERSONS = {"F": ("woman", "lady"), "M": ("man", "gentleman")}

HISTORY: dict[Side, tuple[str, ...]] = {
    "train": (
        "High blood pressure has been known for {years} years and is treated with {drug}.",
        "An operation on the {part} {years} years ago had no complications.",
        "{He} lives in a house with {number} steps to the door and manages them with a rail.",
        "Before retirement {he} worked as a {job} for {years} years.",
        "There is a known allergy to {allergen}, with a rash.",
        "{He} drinks a glass of wine on Sundays.",
        "Two neighbours look in every day, and meals are brought at noon.",
        "The family doctor saw {him} {number} days before admission and took blood.",
        "Vaccinations against influenza and pneumococci were given last autumn.",
        "Glasses for reading are worn, and hearing is fair on both sides.",
        "An ultrasound of the {part} {years} years ago was normal.",
        "Weight has been steady at {weight} kg for the last {years} years.",
    ),
    "test": (
        "Hypertension for {years} years, on {drug}.",
        "Surgery to the {part} {years} years back, uneventful.",
        "Home is a flat on the second floor with {number} stairs and a lift.",
        "Formerly employed as a {job}.",
        "Allergic to {allergen}, which gave hives.",
        "Alcohol on festive days only.",
        "A carer comes twice a day and does the shopping.",
        "Seen by the practice {number} days earlier, when bloods were sent.",
        "Immunisations are up to date.",
        "Uses a hearing aid on the left and spectacles for distance.",
        "Imaging of the {part} some {years} years ago showed nothing of note.",
        "Body weight {weight} kg, unchanged for long.",
    ),
}

COURSE: dict[Side, tuple[str, ...]] = {
    "train": (
        "the temperature was {temperature} C in the morning and lower by the evening.",
        "blood pressure was {systolic}/{diastolic} mmHg and the pulse {pulse} a minute.",
        "haemoglobin was {haemoglobin} g/dL and creatinine {creatinine} mg/dL.",
        "{drug} was continued at the same dose and tolerated well.",
        "physiotherapy practised walking along the corridor, {distance} metres with a frame.",
        "{he} slept {hours} hours and asked for no tablet at night.",
        "breakfast was eaten in full, of lunch about a half.",
        "the dressing on the {part} was changed and the skin around it was pale and dry.",
        "the daughter visited in the afternoon and brought clothes and a book.",
        "fluid intake was {intake} mL and urine output {output} mL.",
        "C-reactive protein had come to {crp} mg/L.",
        "the cannula in the left arm was taken out and a new one put into the right.",
        "an X-ray of the {part} was taken and showed no change from the one before.",
        "the dietician advised {number} small meals and left a sheet with examples.",
        "the ward round found {him} sitting by the window, talking and in good spirits.",
        "pain in the {part} was given as {pain} of 10 and eased with {drug}.",
        "occupational therapy looked at washing and dressing and ordered a raised seat.",
        "potassium was {potassium} mmol/L and was checked again after {hours} hours.",
        "an electrocardiogram showed sinus rhythm at {pulse} a minute.",
        "the social worker spoke with the family about help at home for {number} weeks.",
        "bowels had opened, and the abdomen was soft on examination.",
        "oxygen saturation was {saturation}% on room air after the walk.",
    ),
    "test": (
        "temp {temperature} C at eight, settling later on.",
        "pressure {systolic} over {diastolic}, heart rate {pulse}.",
        "Hb {haemoglobin}, creatinine {creatinine}.",
        "{drug} went on unchanged, without side effects.",
        "walked {distance} metres with the physiotherapist and one stick.",
        "a quiet night with {hours} hours of sleep.",
        "ate most of the meals and drank enough.",
        "wound care of the {part}, edges clean and no discharge.",
        "relatives came by with post and fresh pyjamas.",
        "balance of fluids: {intake} mL in, {output} mL out.",
        "CRP {crp} this time.",
        "a fresh cannula was sited, as the old one had slipped.",
        "films of the {part} were repeated and look the same.",
        "seen by nutrition, who suggested {number} snacks a day.",
        "cheerful on the round, sitting out in the chair.",
        "{part} pain scored {pain}, better after {drug}.",
        "the therapist tried the bathroom with {him} and asked for a grab bar.",
        "potassium {potassium}, repeat due in {hours} hours.",
        "tracing of the heart regular at {pulse}.",
        "a meeting with the family planned support over {number} weeks.",
        "abdomen soft, bowel movement normal.",
        "saturation {saturation}% without oxygen.",
    ),
}
"""What a day of the stay is written up with, behind its beginning."""

PLAN: dict[Side, tuple[str, ...]] = {
    "train": (
        "Please check creatinine and potassium in {number} days.",
        "{drug} is to be taken for another {number} days.",
        "We have made an appointment in our clinic in {number} weeks.",
        "The stitches can come out in the practice after {number} days.",
        "Walking every day is advised, and lifting should wait for some weeks.",
        "All findings were explained, and questions were answered.",
    ),
    "test": (
        "Bloods with the practice in {number} days.",
        "Carry on with {drug}, {number} more days.",
        "Outpatient review here in {number} weeks.",
        "Clips out after {number} days.",
        "Keep mobile, no heavy loads for now.",
        "Explained to the patient, who had no further questions.",
    ),
}

SLOTS = {
    "drug": ("ramipril", "bisoprolol", "paracetamol", "amoxicillin", "furosemide", "omeprazole", "metformin"),
    "part": ("hip", "knee", "chest", "abdomen", "shoulder", "lower leg", "back", "neck"),
    "job": ("teacher", "carpenter", "nurse", "bus driver", "clerk", "cook", "gardener", "tailor"),
    "allergen": ("penicillin", "iodine", "latex", "sulfonamides", "nuts"),
}  # fmt: skip
NUMBERS = {
    "years": (2, 30), "number": (2, 9), "weight": (50, 105), "systolic": (105, 160), "diastolic": (60, 95),
    "pulse": (58, 104), "distance": (10, 200), "hours": (3, 9), "intake": (900, 2600), "output": (600, 2400),
    "crp": (2, 180), "pain": (1, 7), "saturation": (92, 99), "age": (14, 25),
}  # fmt: skip
"""Slot -> the smallest and the largest whole number."""
DECIMALS = {"temperature": (362, 391), "haemoglobin": (88, 152), "creatinine": (6, 19), "potassium": (34, 51)}
"""The same in tenths."""
PRONOUNS = {
    "F": {"he": "she", "him": "her", "his": "her", "He": "She", "His": "Her"},
    "M": {"he": "he", "him": "him", "his": "his", "He": "He", "His": "His"},
}
