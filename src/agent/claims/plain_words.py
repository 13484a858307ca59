"""Words that carry no fact by themselves: light verbs in all their forms, and nouns of any conversation.

Read folded, in Portuguese, Spanish and English. What is not here, no concept (lexicon) and in no source is strange.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_VERBS: Final = """
fic fiqu deix dej pass pas entr sa sai sal lev llev tra traz trag traj trou peg pegu us mostr muestr dig diz diss dij dic cont cuent fal habl ach pens piens cre cri acredit sab
sei sup quer quier quis gost gust ador precis necesit ajud ayud tent intent conseg consig consegu logr volt vuelv volv segu sig continu contin torn vir vei ven vien vin vem est
esta estiv estuv er fo fu foss fuer te ten tien tenh teng tiv tinh tuv hav hub hay faz fac fiz fez hac hic hag pod pued pud deb dev dar da deu dad de dem vai vam ir ia bast
falt sobr cheg chegu lemb lembr record esquec olvid perceb not repar olh mir vej ve v viu vist ouv oig oy escut sent sint parec aparec acontec ocorr ocurr suced esper aguard
combin torc cabe cab serv conven compens val depend trat refer corresp correspond equival soma som sum divid multiplic resta rest calcul consider usando apresent present
encontr junt apont indic signific parti comec acab termin complet imagin entend compreend comprend explic esclarec aclar junta figur const constat aproveit evit cuid preocup
tranquiliz descans relax desej dese fij atent atend perdoe esquent ando anda and lig desculp disculp frustr chat estraes chate incomod molest chame cham serian seri dur entiend
segur guard identific mand regres repit repet dec decir pergunt pregunt durm misunderst get got take took taken taking bring brought keep kept put leave left let make made come
came go goes went gone see saw seen look show shown tell told say said think thought know knew known want like need help tr try tried seem turn run hold held stay mean meant
happen appear feel felt hear heard remember remind matter fit spend save sound worry enjoy love hope guess believe suppose expect wonder mention notice
"""
_ENDINGS: Final = (
    r"(?:|[aeio]|[aeio][sm]|[aei]n|[aei]nt?o|[aeiou]mos|ou|eu|iu|ei|[aei]r|[aei]ndo|iendo|[ai]d[oa]s?|[aei]v?[aei]m?|ava[sm]?|avam|aba[ns]?|i?a[ms]?|ian|ri?a[ms]?|ran?|"
    r"[aei]r(?:a|ao|ei|emos|am|em|an|as|ia|iam|ian|iamos|mos|se|me|te|lhe|lo|la|le)?|[aei]ss?e[ms]?|ara|aron|ieron|ie|s|es|ed|ing|d|[aeo](?:-(?:se|me|lhe|lo|la)))"
)
_NOUNS: Final = """
previs antecip tempo tiempo time inicio comeco fim fin final finais meio medio resto parte partes part lado lados side ponto ponta punto vez vezes veces times vuelta volta
voltas fila fil cola queue line lista list frente front ahead adelante atras regiao region zona area bairro barrio local lugar place sitio linha linea etapa passo paso step
steps caso case motivo razao razon reason causa conta detalhe detalle detail momento instante moment segundo segundinho minutinho ratito ratinho pouquinho poquito bit duvida
pergunta pregunta question resposta respuesta answer reply ajuda ayuda help pessoa persona gente pessoal tudo todo nome nombre name tipo forma jeito modo maneira manera way
coisa cosa thing things assunto asunto tema questao cuestion issue situacao situacion situation condicao sistema system tela pantalla screen pagina page campo registro dado
dados datos data info informacao texto text palavra frase mensagem foto fotos photo picture imagem imagen video arquivo file anexo captura print screenshot periodo period ordem
orden favor gentileza carinho abraco olho ojo eye atencao atencion attention cuidado calma paciencia patience pena certeza seguridad sure verdade verdad truth jeitinho dica tip
sugestao sugerencia ideia idea exemplo ejemplo example resumo resumen summary nota obs ps total soma suma sum diferenca diferencia difference metade mitad half dobro doble
double maximo minimo maximum minimum cada media average quantidade cantidad amount numero number codigo valor valores custo preco restante remaining left faltante extra extras
adicional adicionais additional proximo proxima seguinte siguiente next anterior previous ultimo ultima last primeiro primeira primer primera first terceiro terceira tercer
tercero tercera quarto quarta quinto quinta cuarto cuarta novo nova nuevo nueva new antigo antigua old velho atual actual current mesmo mesma mismo misma same proprio propia
own unico unica only so solo sola sozinho junto junta juntos together certo certa correto correta correcto correcta correct right errado errada wrong possivel posible possible
disponivel livre livres libre libres free pronto pronta listo feito feita feitos feitas hecho hecha hechos hechas done grande pequeno pequena chico chica big small large maior
mayor menor menores mayores bigger smaller melhor mejor better best pior peor worse bom boa bueno buena good great otimo otima lindo linda bonito bonita legal bacana facil
dificil easy hard simples simple rapido rapida rapidinho quick fast devagar claro clara clear exato exata exacto exacta exact exatamente exactamente exactly certinho direitinho
direto directo direct inteiro inteira entero entera whole completo completa complete parcial geral general comum comun common especial special importante important necessario
normal normalmente geralmente usually atualmente currently actualmente infelizmente lamentablemente desgraciadamente unfortunately felizmente afortunadamente luckily
fortunately realmente really apenas somente solamente justamente justo just aproximadamente aproximado quase casi almost cerca around about portanto logo entao entonces then
alem ademas besides also tambem tambien too inclusive incluso even ainda todavia aun still ja ya already agora ahora now hoje aqui aca here ali alla there perto lejos longe
near far dentro fora fuera inside outside acima abaixo arriba abajo above below antes depois despues after before durante enquanto mientras while conforme segun according
partir sempre siempre always nunca never talvez quizas maybe perhaps acaso porem embora aunque although though exceto salvo menos mais mas muito mucho pouco poco little much
many several varios varias some algum alguma alguno alguna qualquer cualquier any outro outra otro otra other another ambos ambas both nenhum nenhuma ninguno ninguna none
desses dessas destes destas deles delas dele dela quem quien whose whom cujo cuja estes aqueles aquelas ellos ellas nosotros voce voces dona dono don dna senhor senhora senor
senora sr sra moco moca amigo amiga amor querido querida dear friend folks you're they're we're it's i've we've that's there's what's here's i'd you'd nothing anything
something everything nada algo alguem alguien morning afternoon evening night manha tarde noite manana noche dia dias semana mes meses ano anos hora horas minuto segunda terca
sexta sabado domingo week month year day hour via proposito unidos contra maos manos hands mundo world vida life coracao alegria prazer gosto susto cabeca chance oportunidade
confusao bagunca transtorno incomodo inconveniente inconvenience trouble engano equivoco mistake feedback elogio critica sugestoes contato retorno espera graca gracas vontade
animo animado animada daqui felicidade noticia noticias news posicao posicion position coitado coitada novidade early late cedo temprano negativo negativa positivo positiva
adequad contas meio-dia mediodia noon combinado horario horarios schedule marcada capricho tranquilo tranquila sossego folga pontual ativo ativa vigente vigor valido valida
valid pessoalmente confirmacao confirmation porta door entrada capaz verao inverno alta baixa alto baixo high low long longo larga curto short quanto quantos quantas cuanto
cuantos moreover however meanwhile otherwise simply actually basically alright yep yeah okay plus minus equals per sub nem tampouco tampoco either neither ta to tava pra pro
pros passou passaram passed somando somado sumando juntando totalizando passos vier voltam voltar volte falta faltam faltar sobra trazer traga traz trazem leva levam levar
levou pedir pede deixar deixa deixe passar passa passam entrar entra entram sair saem chamo dizer disse contar economia economiza compensa bastante nossa dividindo ficando
fazendo tardar tarda tardan llevar lleva traer trae venir viene vienen salir sale salen dejar deja pasar pasa queda quedan gusta necesitas necesito turno estoy estamos tenemos
every comes come coming keep keeps takes take taking bring brings must might offline online gone each again second third seguir segue seguem continua continuam continue sigue
included prazo maiores semanas minutos away nice depende dependendo datas prontinho achei lembre lembrar lembrando recomendo recomendamos recomenda sugiro sugerimos suggest
recommend sabe saber querer quer quiser podera poderia podem consegue conseguem conseguir economizar aprox informado mencionado falou peca pecas basta mostrar mostre apresentar
apresente sera serao fosse seria seriam seja sejam havia houve havera estando sendo tendo usando pagando ganham ganha custam custa costs spend save saves starting starts ends
until dessa desse desta deste disso disto nessa nesse nesta neste nisso nisto daquele daquela naquele naquela aquilo aquel aquella esos between entre esas eso esto those these being siendo recien afraid pressa prisa rush
"""
_BEFORE_APOSTROPHE: Final = frozenset(
    "i you he she it we they that there here what who isn aren wasn weren don doesn didn won wouldn couldn shouldn hasn haven hadn can let".split()
)
_VERB: Final = re.compile(rf"(?:{'|'.join(sorted(set(_VERBS.split()), key=len, reverse=True))}){_ENDINGS}")
_PLAIN: Final = frozenset(_NOUNS.split())


@lru_cache(maxsize=32_768)
def is_plain(word: str) -> bool:
    """Whether folded ``word`` says nothing that a source would have to say."""
    if "'" in word and (word.partition("'")[0] in _PLAIN or word.partition("'")[0] in _BEFORE_APOSTROPHE):
        return True
    return word in _PLAIN or word.removesuffix("s") in _PLAIN or _VERB.fullmatch(word) is not None
