"""Words that say how something is asked, not what about; in small letters and without accents."""

from __future__ import annotations

ENGLISH = """
    a about after all also am an and any are as at be been being between but by can cannot could did do does doing
    for from get give got had has have having he her him his how i if in into is it its just let like me might must
    my no not of on one or our out please should show so some such tell than that the their them then there these
    they this those to too up us use want was we were what when where which while who whom whose why will with would
    you your
"""
GERMAN = """
    aber alle als am an auch auf aus bei beim bin bis bitte da damit das dass dein dem den denn der des dich die
    dies diese dieser dieses doch du ein eine einem einen einer eines er es fur gibt haben hat hatte ich ihm ihn ihr
    im in ist ja kann kannst konnen machen man mein mich mir mit muss nach nicht noch nur ob oder ohne sein sich sie
    sind so soll sollte uber um und uns unser vom von vor wann war warum was welche welchem welchen welcher welches
    wenn wer werden wie wieso wird wo wozu wurde zu zum zur
"""
FRENCH = """
    au aux avec ce ces cette comment dans de des du elle en est et eux faire fait il ils je la le les leur lui ma
    mais mes moi mon ne nos notre nous on ou par pas peut plus pour pourquoi puis qu quand que quel quelle quelles
    quels qui quoi sa sans se ses son sont sur ta te tes toi ton tu un une vos votre vous
"""
# Spanish, Italian, Portuguese
SOUTHERN = """
    al algo como con cual cuales cuando cuanto de del donde el ella en era es esta este esto hay la las lo los mas
    me mi muy no nos o para pero por porque puede puedo que quien se ser si sin sobre su sus tiene un una uno y ya
    alla che chi ci come con cosa da dal dalla dei del della di dove e gli i il in io la le lo ma nel nella non
    perche piu posso quale quali quando quanto quello questa questo si sono su ti tra una uno as com do dos ele em
    entre isso mais mas na nao no nos os ou pela pelo qual quais quem seu sua um uma voce
"""
RUSSIAN = """
    а без бы был была в вы где да для до его ее если есть еще же за и из или им их к как какая какие каким какой
    когда который кто ли мне можно мой мы на надо не нет но о об он она они от по почему при с со так там то только
    ты у уже что чтобы это этот я
"""
# Chinese and Japanese, in pairs of signs
EASTERN = """
    什么 怎么 如何 哪些 哪个 多少 是否 可以 吗 です ます すか とは には どう 何で
"""

STOP_WORDS = frozenset(f"{ENGLISH} {GERMAN} {FRENCH} {SOUTHERN} {RUSSIAN} {EASTERN}".split())
