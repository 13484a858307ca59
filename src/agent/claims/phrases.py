"""How people greet, ask, offer, apologise, and how they state things: the patterns behind the claim ledger.

All read folded text (lower case, no accents), except where they look for an accent that makes the meaning.
"""

from __future__ import annotations

import re
from typing import Final

GREETING: Final = (
    r"(?:oi+e?|ola|opa|e ai|alo|hola|hello|hi|hey|bo[am]s? (?:dia|tarde|noite)s?|buen[oa]s?(?: (?:dia|tarde|noche)s?)?|"
    r"good (?:morning|afternoon|evening|day|night))"
)

SOCIAL: Final = re.compile(
    rf"(?:{GREETING}\b|"
    r"(?:(?:mas |e |y |and |but |pero |voce |vc |o senhor |a senhora |usted |you )*(?:tem|tiene|tienes|tenes|tens) (?:toda |total |muita |mucha |toda la |)(?:razao|razon)|you(?:'re| are) (?:absolutely |totally |completely |so |quite |)right|"
    r"(?:com|con) (?:toda )?(?:razao|razon)|faz sentido|tiene sentido|that makes sense|makes sense|ninguem merece|nadie merece|haja paciencia|calma|relaxa|"
    r"(?:que (?:tenha|tenhas|tengas?|tengan)|tenha|tenham|tengas?|tengan|have|enjoy|bom|boa|buen|buena|lindo|linda|feliz|happy|otim[oa]|excelente)\b[^.!]{0,16}\b(?:segunda|terca|quarta|quinta|sexta|sabado|domingo|lunes|martes|miercoles|jueves|viernes|"
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|jornada|finde|findi|restinho|resto|rest|trabalho|trabajo|fome|apetite|appetite|passeio|viaje|trip|ano|year|fiesta|festa|party|recuperac\w*|recovery))\b|"
    r".{0,24}\bagradec|(?:(?:por aqui|aqui|eu|yo) )*(?:so|somente|apenas|solo|solamente) (?:atendo|respondo|falo|converso|ajudo|atiendo|hablo|ayudo)\b|(?:y |e |and )?(?:wishing|we wish|i wish|desejo|desejamos|deseo|deseamos|te deseo|les deseamos)\b|(?:that(?:'s| is)|isso é|eso es|é|es) (?:completely |totally |perfectly |super |muito |muy |totalmente )?(?:normal|natural|understandable|compreensivel|comprensible)\b|(?:poxa|puxa|nossa|vaya|wow|uau|eita)\b|"
    r"(?:me |nos )perd[oó]\w*|(?:no|sem|sin|without|nenhuma|ninguna|take your) (?:rush|hurry|pressa|prisas?|apuro|estresse|estres|stress|time)\b|"
    r"(?:muit[oa]s? |much[oa]s |mil )?(?:obrigad[oa]|grat[oa]|gracias|thanks?|valeu|agrade[cz]\w*|de nada|por nada|imagina\b|disponha|"
    r"you'?re welcome|my pleasure|welcome|(?:sejam? |and |e )*bem[- ]vind\w*|(?:and |y |sean? )*(?:bienvenid|welcome)\w*|bienvenid\w*|um prazer|prazer|mucho gusto|con gusto|un placer|nice to|glad|"
    r"parabens|felicidades|felicitaciones|congrat\w*|feliz|felices|happy|merry)\b|"
    r"(?:me )?(?:desculp\w*|perdao|perdon\w*|disculp\w*|sorry|apolog\w*|pedimos desculpas|peco desculpas|mil desculpas|lament\w*|"
    r"(?:sinto|sentimos|siento|lo siento|i'?m (?:so |very |really )?sorry|we'?re (?:so |very )?sorry))|"
    r"(?:eu |nos |nosotros |i |we |te |lo |le )?(?:entend[oie]\w*|entiend\w*|compreend\w*|comprend\w*|imagino|understand|sei (?:que|como)|"
    r"se que|i know|i get|hear you|fico|ficamos|estou aqui|estamos aqui|estoy aqui|i'?m here|we'?re here|quedo|quedamos|me alegr\w*|nos alegr\w*|que alegria|"
    r"espero|esperamos|ojala|hope|i hope|tomara)\b|"
    r"que (?:voce|vc|deus|tu|tudo|todo|sua|seu|te|os|as)\b(?! (?:pedido|compra|reembolso))|(?:e |y |and )?(?:ate|hasta) (?:mais|logo|luego|pronto|breve|a proxima|la proxima|ja)|tchau|adios|chau|bye|(?:and |so )?see you|talk soon|anotado|noted|aproveit\w*|descans\w*|curt[ae]|disfrut\w*|cuide-se|cuidate|take care|boa sorte|suerte|good luck|melhoras|force|forca|precisando|beleza|combinado|perfeito|maravilha|abraco\w*|abrazo\w*|beijo\w*|"
    r"(?:tenha|tengas?|que tenga\w*|have|enjoy|bom|boa|otim[oa]|excelente|lindo|linda)\b[^.]{0,24}\b(?:dia|tarde|noite|semana|noche|fin|"
    r"final|fim|day|evening|weekend|week|night|one|aula|aulas|viagem|descanso|feriado|domingo|sabado|sexta)\b|"
    r"(?:que|how|what an?) (?:bom|bueno|legal|otim\w*|lind\w*|maravilh\w*|delicia|pena|chato|fofo|genial|rico|triste|alegria|nice|lovely|great|"
    r"sweet|pity|shame)\b|"
    r"(?:sem|no hay|no) (?:problemas?|worries)|nao se preocupe|no te preocupes|don'?t worry|fique tranquil\w*|tranquil\w*|"
    r"(?:eu )?(?:sou|soy|i am|i'm|aqui é|aqui e|aqui quem fala (?:e|é)|me chamo|meu nome e|me llamo|mi nombre es|my name is|this is)\b|"
    r"(?:estou|estamos|fico|ficamos) (?:por aqui|aqui|a disposicao|à disposicao|torcendo)|(?:a tua |a sua |tu |your )?(?:as ordens|a disposicao|a tu disposicion|a la orden|a disposicion|at your service)|"
    r"conte (?:comigo|conosco|com a gente)|cuenta con|count on|(?:e so|es so|basta|just|solo|so) (?:me |nos )?(?:chamar|avisar|falar|mandar|"
    r"pedir|escrib\w*|llamar|avisarme|let|ask|message|send|text|write|reach)|"
    r"(?:sempre|always|siempre) (?:que precisar|here|aqui)|qualquer (?:coisa|duvida)|cualquier (?:cosa|duda)|any(?:thing)? (?:else|questions?)|"
    r"se precisar|aqui (?:e|é) (?:a|o)|(?:e|y|and) (?:que|have|tenha|conte|qualquer)|si necesitas|if you need|ha?ha|rs|kk)"
)

REQUEST: Final = re.compile(
    r"\b(?:da|de|de) (?:so )?uma \w+(?:ada|ida)(?:inha)?\b|\b(?:echa(?:le)?|dale|da) un(?:a)? (?:vistazo|mirada|ojo)|\b(?:take|have) a look\b|^(?:se nao \w+ )?(?:olh[ae]|mir[ae]) "
    r"|"
    r"(?:por favor|por gentileza|please|pls)\b|^(?:voce |vc |you |tu )?(?:pode|puede|puedes|can) (?:tentar|intentar\w*|try)\b|^(?:mas |pero |but )?(?:o (?:ideal|melhor|mais seguro|certo) (?:é|seria)|lo (?:ideal|mejor|mas seguro) (?:es|seria)|the (?:best|safest)(?: thing)?(?: to do)? (?:is|would be)|it'?s (?:best|safest)|it would be best|you'd better)\b|"
    r"\b(?:me|nos) (?:mand[ae]|envi[ae]|pass[ae]|inform[ae]|diz|diga|confirm[ae]|cont[ae]|fal[ae]|ped[ei]|avis[ae]|respond[ae]|explic[ae]|"
    r"indi[cq]u?[ae]|compart\w*)\b|"
    r"^(?:so |entao |ok |certo |claro |perfeito |perfecto |primeiro |agora |ahora |first |then |y |e |and )?"
    r"(?:mand[ae]|envi[ae]|inform[ae]|dig[ae]|diz|confirm[ae]|confira|cheque|verifique|digit[ae]|acess[ae]|entre|clique|toque|respond[ae]|"
    r"aguard[ae]|espere|escolh[ae]|selecion[ae]|abr[ae]|baix[ae]|reinici[ae]|deslig[ae]|lig[ae]|tent[ae]|tir[ae]|anex[ae]|descrev[ae]|"
    r"cont[ae]|conte-me|fal[ae]|explique|consulte|veja|olhe|dime|diga|digame|envia\w*|manda\w*|pasa\w*|indica\w*|cuentame|cuenteme|"
    r"comparte\w*|escribe\w*|elige|revisa|verifica|intenta|reinicia|ingresa|haz|send|tell|share|give|provide|check|try|choose|pick|enter|"
    r"type|click|tap|open(?! (?:on|from|until|till|at|every|daily|to|now|today|tomorrow|mon|tue|wed|thu|fri|sat|sun))|go to|let me know|reply|restart|confirm|describe|attach|wait|hold on)\b(?! (?:a|o|as|os)? ?equipe)|"
    r"\b(?:preciso|precisamos|vou precisar|necesito|necesitamos|voy a necesitar|i (?:just |only )?need|i'?ll need|we need|falta|faltou|"
    r"basta|bastan?)\b(?! (?:verificar|consultar|checar|falar|conferir|revisar|check))|"
    r"\b(?:voce |vc )?(?:pode|poderia|puedes?|podrias?|podria|can you|could you|would you|you can)\b (?:me |nos |please |por favor )?"
    r"(?:mandar|enviar|passar|informar|dizer|confirmar|contar|repetir|escrever|falar|conferir|digitar|explicar|detalhar|decir\w*|"
    r"mandar\w*|enviar\w*|pasar\w*|confirmar\w*|indicar\w*|escribir\w*|contar\w*|send|tell|share|confirm|repeat|check|give|let|explain|"
    r"provide|clarify|describe)"
)

OFFER: Final = re.compile(
    r"\b(?:posso|consigo|puedo|i can|i could|i'?m able|happy to|glad to|prefere|preferes|prefieres|prefiere|gostaria|deseja|desea|deseas|"
    r"(?:voce )?quer|quieres?|would you|do you want|(?:se|caso|si|if|quando|cuando|whenever|when)(?: (?:voce|vc|usted|tu|you|algo|precisar de algo))?"
    r"(?:'d)? (?:quiser\w*|queira\w*|preferir\w*|prefira\w*|precis\w*|desej\w*|ach\w*|optar|decidir|quer|quieres?|prefier\w*|dese\w*|necesit\w*|"
    r"gust\w*|like|want|prefer|need|wish|decide|ready|estiver|puder))\b"
)

INABILITY: Final = re.compile(
    r"\b(?:nao|no|nunca|ainda nao|todavia no|aun no) (?:me |te |lhe |se |lo |la |le |o |a |eu |a gente |nos )?(?:foi possivel|fue posible|ha sido posible|e possivel (?:confirmar|consultar|ver)|"
    r"consig\w*|conseg\w*|pude\w*|pud[oi]\w*|posso|podemos|puedo|logr\w*|encontr\w*|ach\w+|localiz\w*|hall\w*|ubi\w*|vi|vejo|veo|veo\w*|"
    r"sei|se|sabemos|tenho|tengo|temos (?:essa|esta|a|nenhuma)? ?(?:informa\w*|acesso|registro|como)|tenemos (?:esa|esta|la)? ?(?:informacion|acceso|registro)|"
    r"entendi\w*|entiendo|dispongo|disponho|recebi|recibi|reconhec\w*|reconoz\w*|deu(?: certo)?|aparec\w*|constam?|ha?y? (?:nenhum\w* |ningun\w* )?(?:registro|informac|resultado|dados|datos|nada)\w*)\b|"
    r"\b(?:i|we)(?: am|'m| are|'re| was| were|'ve| have| do| did)?(?: still| really| just)?(?: not|n't| unable| can't| cannot| could not| couldn't| don't| didn't| wasn't| haven't| do not| did not| was not| have not)\b"
    r"(?: yet| been)?(?: able)?(?: to)?|"
    r"\bcan'?t\b|\bcannot\b|\bcouldn'?t\b|\bunable to\b|\bunfortunately i\b|\bit (?:didn'?t|did not) (?:go through|work)|"
    r"\b(?:tentei|tentamos|intente|intentamos|i tried|we tried)\b|\b(?:sistema|system|servidor|server|agenda|consulta)\b.{0,12}(?:nao respondeu|no respondio|no responde|"
    r"fora do ar|indisponivel|instavel|didn't respond|did not respond|not responding|is down|caido|lento)|"
    r"\b(?:sem|sin|without) (?:sucesso|exito|success)|\bdeu (?:erro|problema)|\bhubo un (?:error|problema)|\bthere was (?:an error|a problem)|"
    r"\b(?:houve|ocorreu|tive|tivemos|tuve|tuvimos|i had|i ran into|we had) (?:um |un |an? )?(?:erro|problema|falha|error|problem|issue|fallo|trouble)"
)

VERB: Final = re.compile(
    r"é|\b(?:sao|esta|estao|estamos|foi|foram|fica|ficam|ficou|tem|temos|vem|vai|vao|pode|podem|da|dao|deve|precisa|custa|vale|sai|saem|ha|es|son|fue|hay|queda|quedo|tiene|tenemos|"
    r"viene|puede|debe|va|is|are|was|were|has|have|had|will|can|comes?|goes|must|costs?|ja|ya|already|been|do|does|don't|we're|it's|you're|voce|you)\b|"
    r"\w(?:ei|ou|amos|emos|imos|aram|eram|iram)\b"
)

IDENTIFIERS: Final = frozenset({"code", "phone", "email", "handle", "url", "address"})

CONDITION: Final = re.compile(
    r"^(?:e |y |and |mas |but |pero )?(?:se|si|if|caso|quando|cuando|when|assim que|once|depois (?:que|de)|after|apos|antes|before|despues|sempre que|siempre que|desde que|contanto que|as long as|provided|whenever|unless|"
    r"(?:para|to|ao|al) \w+(?:ar|er|ir)|to \w+)\b"
)

THEN: Final = re.compile(r"^(?:que|assim|asi|so|that way|com isso|dai|ai|y|e|and|para)\b")

YOU: Final = re.compile(r"\b(?:voce|vc|usted|you|you've|vos)\b(?: ja| ya| already| have| had| nos| me| te| que)*\s*$")

YOU_SAID: Final = re.compile(
    r"\b(?:voce|vc|usted|you|tu|te|me)\b[^.]{0,20}\b(?:disse\w*|diz\w*|falou|mencion\w*|comentou|coment\w*|inform(?:ou|aste|aram|ed)|pedi(?:u|ste|ram)?\b|relat\w+|dijiste|dices|dice|contou|contaste|said|say|saying|seeing|mention\w*|told|asked|wrote|"
    r"escreveu|citou|passou|enviou|mandou)\b|\b(?:conforme|como|segun|according to what) (?:voce|vc|usted|you|tu)\b|\bentendi\w*\b|\bentiendo\b"
)

LAMENT: Final = re.compile(
    r"\b(?:sint|lament|sorry|desculp|disculp|perd[ao]|apolog|entend|compreend|comprend|imagin|chato|pena|frustr|transtorno|molest|inconven|understand|obrigad|gracias|thank|agrade|espero|hope)\w*"
)

GENERIC_DONE: Final = re.compile(
    r"(?<!ser )(?<!be )\b(?:feit[oa]s?|hech[oa]s?|done|ok|realizad\w+|efetuad\w+|efetivad\w+|conclu\w+|complet\w+|successful\w*|com sucesso|con exito|em andamento|a caminho|na fila|garantid\w+)\b"
)

DONE_ALONE: Final = re.compile(
    r"(?:ja (?:esta|foi) |ya (?:esta|quedo) |it'?s |you(?:'re| are) |we(?:'re| are) |all |tudo |todo |esta |muito )?(?:pront(?:o|a|inho)|feit(?:o|inho)|resolvido|resuelto|listo|hecho|done|all set|sorted|fixed|taken care of)(?: (?:ja|aqui|pra voce|para voce|entao|then|now|for you))?"
)

SPECIFIC: Final = re.compile(
    r"\b(?:seus?|suas?|tus?|sus?|your|meus?|minhas?|ele|ela|dele|dela|it|its|esse|essa|este|esta compra|o pedido|el pedido|the order|a compra)\b"
)

AUXILIARY: Final = re.compile(
    r"\b(?:foi|foram|fui|fue|fueron|was|were|been|esta|estao|estan|is|are|ja|ya|already|ficou|quedo|quedaron|consta|aparece|has|have|acabou|acaba|got|ha sido|han sido|he|hemos|i've|we've|ser[ai]\w*|saiu|se)\b"
)

WE_DID: Final = re.compile(r"(?:amos|emos|imos)$")

DID: Final = re.compile(
    r"\b(?:foi|foram|fue|fueron|was|were|been|está|estão|están|ficou|quedó|quedaron|got|já|ya|are|is|you're|it's|é|são|vem|viene|comes) (?:já |ya |now |all |been |todo |toda |totalmente |fully |muy |muito )?(?P<p>\w{3,}(?:ad[oa]s?|id[oa]s?|ed))\b|"
    r"\b(?P<pt>\w{3,}ei)\b|\b(?P<es>\w{3,}é)(?!\w)|\b(?:i|we|i've|we've|i have|we have) (?:just |already |also |now )?(?P<en>\w{3,}ed)\b"
)

FEELINGS: Final = frozenset(
    """passado passada pasado pasada limitado limitada animada hello united dedicado dedicada feriado sabado mercado lado estado interessado interessada preocupado preocupada cansado cansada animado animada obrigado obrigada convidado convidada localizado localizada situado situada interested worried excited
    located supposed allowed welcomed gostei adorei amei fiquei pensei imaginei esperei achei passei deixei cheguei entrei fechei voltei tomei hablei sei darei serei estarei terei
    verei farei irei poderei café você até porém também através pedé bebé olé pié qué porqué sé té fé pé mané josé andré perdido perdida querido querida encantado encantada
    used based needed wanted loved enjoyed pleased delighted concerned tired bored closed""".split()
)

YEARLY: Final = re.compile(r"\b(?:ano|anual|anuais|year|yearly|annual|mes a mes)\b")

LIGHT: Final = frozenset(
    "request pay offer serve work allow give require start support finish contact talk find verify make do prepare test reach sell host improve lower charge win receive guarantee".split()
)

FRAGMENT: Final = re.compile(r"^(?:e|y|and|ou|o|or) (?:o|a|os|as|do|da|el|la|the|seu|sua|tu|your|qual|de)\b[^é]{0,30}$")

WE: Final = re.compile(
    r"\b(?:temos|tenemos|fazemos|hacemos|trabalhamos|trabajamos|damos|usamos|utilizamos|possuimos|dispomos|disponemos|contamos|ficamos (?:em|n[ao])|estamos (?:em|n[ao]|localiz\w+|ubicad\w+|abert\w+|abiert\w+|fechad\w+|cerrad\w+)|we (?:have|do|are|offer|use|make|carry|ship|run)|we've|we're|tem|tiene|hay|existe\w*|it (?:has|comes)|there (?:is|are))\b"
)

COPULA: Final = re.compile(
    r"\b(?:é|sao|esta|estao|foi|foram|fica|ficam|ficou|tem|vem|vai|pode|podem|da|deve|precisa|custa|vale|sai|volta|voltam|cai|caem|entra|muda|passa|leva|demora|acaba|termina|chegam|vuelve|cae|es|son|fue|queda|tiene|viene|puede|debe|is|are|was|were|has|have|can|comes|goes|must|costs?|'s|inclui|dura|consta|aparece|continua|sigue|remains|segue|esta[vb]a)\b"
)

WAITS: Final = re.compile(
    r"^(?:so |por favor |please |just )*(?:aguard[ae]\w*|esper[ae]\w*|wait|hold on|hang on|um momento|un momento|one moment)\b"
)
"""Asking for patience asks for nothing on which a promise would depend."""
MEANWHILE: Final = re.compile(r"(?:while|enquanto|mientras)\b")
ROUGHLY: Final = re.compile(
    r"\b(?:cerca de|quase|aproximadamente|aprox|por volta de|uns|umas|em torno de|pouco (?:mais|menos) de|cerca d[eo]l?|a (?:bit|little) (?:under|over)|about|around|almost|nearly|roughly|approximately|just (?:over|under)|"
    r"casi|unos|unas|alrededor de|cerca de|poco (?:mas|menos) de) $"
)
ONCE: Final = re.compile(
    r"\b(?:assim que|quando|depois que|once|as soon as|cuando|en cuanto|una vez que) (?:voce |vc |usted |tu |you )?(?:me |nos )?(?:mandar|enviar|passar|informar|confirmar|send|share|envies|mandes|pases|confirmes)\b"
)
YES: Final = re.compile(
    r"^(?:sim|si|yes|yep|claro que sim|claro que si|com certeza|isso mesmo|exatamente|correto|correcto|correct|exactly|of course|por supuesto|isso|positivo|negativo|nao|no|nope|infelizmente nao|lamentablemente no|unfortunately not)(?: senhora?| temos| tem| pode| da| tenemos| puedes| puede| we do| you can| it is| it does| claro| sim)?$"
)

ASKED: Final = re.compile(
    r"\?|(?:^|\n|[,.!] ?)(?:(?:oi+e?|ola|hola|hi|hey|hello|bom dia|boa (?:tarde|noite)|buen[oa]s \w+|good \w+|por favor|please|e|y|and|mas|then)[,.! ]+)*(?:do|does|can|could|is|are|will|would|have you|has|what|when|where|how|"
    r"tem|temos|posso|pode[ms]?|voces|vcs|vc|aceita\w*|faz\w*|entregam?|atende\w*|vende\w*|mandam?|da pra|quanto|quantos|qual|quais|como|onde|quando|hay|tienen?|puedo|pueden?|se puede|aceptan?|hacen|venden|cuanto|cuando|donde|cual)\b"
)
"""A question, with its mark or without, as people type."""
PRESENCE: Final = re.compile(
    r"\b(?:alguem|alguien|anyone|somebody|there|robo|robot|machine|maquina|bot|tudo bem|td bem|como vai|que tal|how are you|posso (?:perguntar|falar|tirar)|pode me ajudar|me ajuda|puedes ayudar\w*|can you help|help me|virtual|humano|ai\?)\b"
)

HUMAN: Final = re.compile(
    r"\b(?:sou|soy|i am|i'm) (?:um |uma |un |una |an? )?(?:human\w*|pessoa|persona|person|atendente|operador\w*|real)\b"
)

BENEFITS: Final = frozenset({"free", "discount", "cashback", "waive"})

MONEYED: Final = frozenset({"charge", "fee", "freight", "pay", "price", "interest", "fine", "deposit", "tax"})

STOP: Final = frozenset(
    """para pelo pela pelos pelas com sem sobre entre mais muito muita muitos muitas tambem ainda agora aqui isso essa esse este esta estas estes aquele aquela ela ele eles elas
    voce voces nosso nossa nossos nossas seus suas minha meus minhas como quando onde qual quais porque pois entao assim apenas somente todo toda todos todas cada mesmo mesma
    outro outra outros outras algum alguma alguns algumas nenhum nenhuma nada tudo bem bom boa certo certa claro sim nao conforme cerca aproximadamente acima abaixo mais aproximado geral sempre
    nunca depois antes durante desde partir logo hoje amanha ontem dentro fora acima abaixo segue seguinte seguintes forma tipo vez vezes favor gente ser estar ter fazer dar ficar
    esta estao estava sera foram fica ficam ficou fazem fazer tem temos deve devem pode podem posso podemos quer precisar caso segundo tanto quanto menos pouco pra pras pros
    pero tambien aqui ahora este esta estos estas nuestro nuestra nuestros nuestras suyo cuando donde cual porque entonces asi solo solamente todos todas cada mismo misma otro otra
    algun alguna nada todo bien bueno buena cierto claro segun siempre despues antes durante desde hasta luego dentro fuera arriba abajo siguiente forma hacer tener puede pueden
    puedes usted ustedes tienes tiene tienen estan muy mucho mucha unos unas the this that these those with without about from your yours our ours their they them there here have
    has had will would can could should been being were was are also just only very much more most some any each other another same such then than when where which what while
    into onto over under after before during until within through because therefore however please well good great sure right still already yet back need needs want like
    make makes take takes get gets let lets know case way kind sort bit lot both either neither per via ate das dos nas nos uma umas uns sao seu sua teu tua num numa ok show otimo otima perfeito perfeita legal beleza
    combinado maravilha perfect perfecto genial vale listo pronto prontinho aviso lembrando lembre detalhes informacoes situacao atual atualmente momento normalmente geralmente
    basta preciso precisa sendo visto vista olha veja viu aproveita aproveite qualquer opcao opcoes opciones options option melhor mejor best""".split()
)

KNOWN_NAMES: Final = frozenset(
    "dona don dna seu whatsapp instagram facebook google brasil brazil deus cpf cnpj cep nfe sac pdf sms url faq iphone android email gmail senhor senhora natal".split()
)
