"""The words in which a business makes statements, in Portuguese, Spanish and English, as concepts.

A stem is the beginning of a folded word; a trailing ``$`` makes it the whole word. The longest stem wins. What a concept
demands of a reply depends on its class:

``state``  what was done or what state something is in ("cancelado"): needs a source that says the same
``fact``   a property, permission or condition ("grátis", "aceitamos", "estacionamento"): needs a source that names it
``topic``  what business is about ("pedido"): demands nothing by itself, but a sentence about it is no small talk
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

ConceptClass = Literal["state", "fact", "topic"]

_STATES: Final = """
cancel: cancel anul$ anulad anular anule anulo desmarc
refund: reembols estorn ressarc refund reintegr
return: devuelt devuelv devol return
exchange: troc$ troca trocad trocam trocar trocou troque troquei cambi exchang swap substitu replac
submit: submit submet
ship: envi despach expedi sent$ sending send$ sends ship dispatch remet remit mandei$ mandou$ mandamos$ mandad mande$ mando$ mandar saiu$ sairam$ salio$ postad postamos$ postou$ postei$
deliver: entreg deliver
lastmile: reparto$
arrive: cheg lleg arriv
expect: expect$ expected$ previs previst estimat estimad eta$
underway: caminho$ camino$ transit transito$ transporte$ way$ route$ rota$ ruta$
pay: pag paga$ pagam pagar pagad pago$ pagos$ paguei$ pagou$ paid$ pay$ pays$ payment paying quitad quitou$ abonad liquid
approve: aprov aprob approv autoriz authoriz deferid
refuse: recus negad negou$ rechaz declin denied$ deny$ reject reprov indefer
confirm: confirm
schedule: agend marcad marcou$ marquei$ marcamos$ marcar$ marcac reserv book$ booked$ booking schedul programad programm agende appoint calendari
reschedule: moved$ moving$ remarc reagend reprogram reschedul adiad adiei$ adiamos$ adiou$ antecip postpon
prepare: prepar prepara packed$ pack$ packing embal arm$ montand montad assembl
make: fabric produz produc produced manufact confeccion
delay: atras retras delay demor late$
fail: falh fall$ fallo$ fallas$ fallos$ falla$ fail error$ erro$ erros$ errors$
ready: pronto$ pronta$ prontos$ prontas$ listo$ listos$ ready$
restart: relig reconex reconect reconnect reinici restart reboot
resolve: resolv resolu resuel solucion solved$ solve$ fixed$ fix$ fixing consert arregl repar reparad repair corrig correg correct
update: atualiz actualiz updat alter modific mudei$ mudou$ mudamos$ mudad mudar$ mudanca change changed$ changes$ edit
register: report filed$ file$ registr cadastr inscr matricul enrol regist regsitr signed$ afili
create: criad criei$ criou$ criamos$ cread cree$ creo$ create created$ gerad gerei$ gerou$ geramos$ gerar$ generad genere$ generat
open: abert abri$ abriu$ abrimos$ abrir$ abiert abre$ abrem$ abren$ abrio$ open
close: fechad fecham$ fechou$ fechar$ fechamento cerrad cierra cierran$ cerrar$ close closed$ closes$ encerr
add: coloquei$ colocamos$ coloque$ puse$ pusimos$ join joined$ adicion acrescent incluid incluimos$ inclui$ incluso$ inclusa$ inclusos$ incluye$ incluyen$ include includ added$ agreg anad sumam
remove: unsubscri descadastr remov exclu elimin delet retirei$ retiramos$ apag
activate: ativ activ habilit enabl
block: disconnect desconect desconnect cort(ad) cortad cortou$ cortamos$ deslig desligu bloque desativ desactiv inativ inactiv suspend suspens disabl block
release: liber desbloque unblock releas unlock
apply: aplic appli apply
issue: emiti emit emis issu expedid
receive: receb recib receiv got$
verify: fije$ fijamos$ cheguei$$ mirei$ verif confer consult checad chequ checke check checked$ checking revis review revise analis analiz analy investig apur averig
find: encontr localiz achei$ achamos$ hall found$ ubiqu ubicad
forward: handoff handover escalad encaminh repass transfer transfir deriv escal forward escalat passei$ passed$
notify: avis notific inform comunic alert notif
contact: contat contact ligar$ liguei$ ligou$ ligamos$ llam called$ call$ calls$ phoned$ telefon retorn respond
talk: falei$ falamos$ conversei$ conversamos$ hable$ hablamos$ spoke$ talked$ spoken$
request: solicit requis request requer pedi$ pedimos$ pediu$ pedido$$ requer
note: anotad anotei$ anotamos$ anote$ anotar$ noted$ note$ logged$ recorded$ record$ tomei$
save: separ apart(ad) apartad aparte$ salv guardad guardei$ guardamos$ saved$ save$ guarde$ guardad
finish: done$ conclu finaliz completad completar completou completei completaron complete$ completed$ completes$ completing completion finish efetu efetiv realiz efectu processad processed$ process proces tramit realizad realizou$ realizei$ realizado$ efetuad
await: aguard pend esper(ando)$ esperando$ await awaiting$ wait espera$
due: due$
expire: expir venc vence caduc overdue$ lapsed$ prescri
renew: renov renew prorrog extend estend exten
end: acab esgot agot ended$ sold$ exhaust
win: ganhador ganhou$ gano$ ganaste$ won$ premi sorteio$ sortead
charge: cobr charg billed$ bill$ factur fatur debit
waive: isent isenc exent waiv dispens perdo
lose: perdid perdeu$ perdi$ perdio$ extravi lost$ lose$ sumiu$ roub robad stolen$
damage: danific avari danad danif damag quebr rot$ roto$ rota$$ broken$ defeit defect
collect: retire$ retirar$ retira$ retiram$ recolh colet retirad recog recoj pickup$ picked$ pick$ coleta buscar$ buscam$ buscamos$ collect withdraw
install: instal
visit: visit compar
reach: alcanc reached$
subscribe: assin suscri subscri contrat contract
migrate: migra upgrad downgrad
pausing: tranc freez froz congel pausad pausamos pausei$ pause$ paused$
test: testad testei$ testamos$ tested$
sign: firmad signed$$
clear: compensad cleared$
discountdone: abat deduz deduc
start: comec inici empez empiez start began$ begin comienz comenz
offer: oferec ofrec offer
sell: vend sell sold$$ sells$
accept: aceit acept accept
serve: atend atiend serve$ serves$ serving cater
work: funcion trabalh trabaj operat opera$ operam$ works$ working$ worked$
allow: permit permis allow autoriza$ poss(ivel)$ possivel$ posible$ possible$
furnished: mobiliad amuebl amobl furnish
require: exig requer$ requier$ require$ required$ requires$ obrigator obligator mandatory$ necessari necesari
cover: cobert cobre$ cobrem$ cobrir$ cubre$ cubren$ cubiert cover
guarantee: garant guarante warrant
host: hosped alojam
give: damos$ doy$ dou$ give$ gives$ gave$ concede conced entreguei
improve: melhor mejor improv
lower: reduz reduc baixamos$ baixei$ lower$ lowered$ drop$ dropped$
raise: aument subiu$ subio$ increas
support: suport soport support
assign: asign atribu assign
"""

_FACTS: Final = """
all: everyone$ everybody$ toda$ whole$ entire$ anywhere$ everywhere$ worldwide$ todos$ todas$ qualquer$ cualquier$ cualquiera$ sempre$ siempre$ nunca$ jamais$ always$ never$ all$ every$
free: grat$ gratis$ gratuit free$ cortesia$ bonific brinde brindes$ regalo$ gift complimentar complementar
discount: descont descuent discount promo oferta$ ofertas$ cupom$ cupons$ cupon$ cupones$ coupon voucher liquida$ sale$ off$ rebaja
cashback: cashback$ pontos$ puntos$ points$ credito$$ bonus$
interest: juros$ interes$ intereses$ interest$ acrescimo$ recargo$ surcharge
fee: taxa$ taxas$ tarifa$ tarifas$ fee$ fees$ comissao$ comision$ anuidade$ adesao$
fine: fines$ multa$ multas$ penalty$ fidelidade$ penaliz
freight: frete$ fretes$ flete$ shipping$ postage$ envio$$
installment: parcel cuota cuotas$ instalment installment prestac
deposit: entrada$ sinal$ caucao$ deposit anticipo$ adianta sena$
available: dispon availab vaga$ vagas$ cupo$ cupos$ slot slots$ horario$$
stock: estoq stock existenc inventor
soldout: esgotad agotad ocupad taken$ indispon unavailab lotad lotou$ lotaram$ lota$ lleno$ fullybooked$
color: cor$ cores$ color colores$ colou
black: preto$ preta$ pretos$ pretas$ negro$ negra$ negros$ black$
white: branc blanc white$
blue: azul azuis$ azules$ blue$
red: vermelh rojo$ roja$ rojos$ rojas$ red$
green: verde green$
pink: ros(a)$ rosa$ rosad pink$
yellow: amarel amarill yellow$
grey: cinza$ cinzas$ gris$ gray$ grey$
brown: marrom$ marrons$ marron$ cafe$$ brown$
beige: bege$ beige$ nude$
material: algod cotton$ cuero$ couro$ leather$ linho$ lino$ linen$ seda$ silk$ madeira$ madera$ wood$ inox$ plastic poliest aco$ acero$ steel$
quality: original originais$ originales$ genuin legitim importad imported$ artesan handmade seminov recondic refurb organic
vegan: vegan vegetar
gluten: gluten$ lactos$ lactose$ lactosa$ celiac sugar$ acucar$ azucar$
parking: estacion parking$ manobr valet$
tag: etiquet tag$ tags$ label labels$
unused: unused$ unopened$ unwashed$ unworn$
wifi: wifi$ internet$$
pets: pet$ pets$ mascot animais$ animales$ cachorr perro perros$ dog$ dogs$ gato$ gatos$ cat$ cats$
access: acessib accesib accessib rampa$ ramp$ elevador$ ascensor$ wheelchair
insurance: convenio convenios$ unimed$ amil$ seguro$ seguros$ aseguradora insur plano$$ planos$$ sulamerica$
debt: debt debts$ divida$ dividas$ deuda$ deudas$ pendenc adeud inadimpl
card: cart(ao)$ cartao$ cartoes$ tarjeta tarjetas$ card$ cards$ credit$ credito$ debito$ debit$
pix: pix$
cash: dinheir efectivo$ cash$ especie$
slip: bolet
cheque: cheque$ cheques$ cheque$
transferpay: ted$ doc$ wire$
crypto: bitcoin cripto crypto
paypal: paypal$ mercadopago$ picpay$
store: fisica$ fisico$ filial$ filiais$ sucursal sucursales$ showroom$ branch$ branches$ physical$
normal: normal$ normais$ normales$ regular$ estavel$ estable$
online: online$ offline$ virtual$$ remot telemedic teleconsult
home: domicil residenc casa$ home$ doorstep$
weekend: fim(de)$ finde$ weekend
holiday: feriad festiv holiday
soon: breve$ pronto$$ soon$ shortly$ instantes$ brevemente$
immediate: imediat inmediat immediat instant
automatic: auto$ automatic
urgent: urgen priorid priorit expres expressa$ express$ express
unlimited: ilimit unlimited
limit: limit minim maxim
exclusive: exclusiv vip$
entire: integral integro full$ fully$ totalmente$
eligible: elegiv elegib eligib direito$ derecho$ entitled$ right$$
warranty: garant warrant
certificate: certific diplom
trial: experimental$ teste$ trial$ prueba$ amostra$ demo$
private: particular privad privat
individual: individual individuais$
doctor: medic doutor$ doutora$ dr$ dra$ doctor$ doctora$ dentist
language: ingles$ espanhol$ frances$ english$ spanish$ french$ alemao$ aleman$ german$ portugues$ portuguese$
speed: velocid speed mega$ megas$ giga$ mbps$ gbps$ gb$ mb$ fibra$ fiber$
network: rede$ red$$ network$ sinal$$ senal$ signal$ conexao$ conexion$ connection$ instabil inestab outage$ queda$ corte$
maintenance: manut mantenim maintenance$
technician: tecnic technic
courier: correios$ transportador transportist carrier$ motoboy$ motoqueiro$ entregador$ repartidor$ courier$ motorista$ driver$ conductor$
tracking: rastre rastrei tracking$ seguimient track$
invoice: nota$ notas$ fiscal$ nf$ factura$ facturas$ fatura$ faturas$ invoice$ invoices$ recibo$ recibos$ receipt$
tax: impost impuest tax$ taxes$
menu: cardapi menu$ carta$
food: pizza$ pizzas$ hamburg burger$ sushi$ salad ensalad sobremes postre postres$ dessert refriger gaseos bebid drink$ drinks$ vinho$ vino$ wine$ cervej cervez beer$ prato$ pratos$ plato$ platos$ almoc almuerz lunch$ jantar$ cena$ dinner$ cafe$ breakfast$ desayun molho$ salsa$ queij queso$ cheese$ frango$ pollo$ chicken$ carne$ beef$ peixe$ pescado$ fish$
spicy: picant spicy$ apimentad
fasting: jejum$ ayun fasting$
prescription: receita$ receta$ prescription
breakfast: cafe$$$
pool: piscin pool$ gym$ gimnas sauna$
checkin: checkin$ checkout$
vacancy: vaga$$
uniform: uniform
meal: lanche$ merend refeic comida$ meal$ meals$ alimentac
transport: traslad transfer$$ van$ onibus$ autobus$ bus$
oil: oleo$ aceite$$ oil$ pneu pneus$ neumatic tire$ tires$ tyre freio freios$ freno frenos$ brake brakes$ bateria$ bateri battery$ motor$ engine$ filtro$ filtros$ filter$ alinham balance$$ embreag suspensao$
safe: segur(o)$ safe$ secure$ seguranca$ seguridad$ safety$
certainly: garantid
popular: favorit bestseller mais(vendido)$ popular
subsidiary: matriz$
water: agua$ water$ prova(d)$ impermeab waterproof$
fit: serv(e)$ serve$$ veste$ cai$ fits$ fit$
wash: lavar$ lava$ lavag lavad wash$ washing$ washed$
bluetooth: bluetooth$ usb$ nfc$
voltage: bivolt$ volt$ volts$ voltag
height: altura$ height$ largura$ ancho$ width$ peso$$ weight$ compriment
secret: secret
"""

_TOPICS: Final = """
clean: limp clean
seat: sentad seated$ seat$ seats$ assento$ assentos$ asiento$
chair: cadeira cadeiras silla$ sillas$ chair
duration: durac duration lasts$ janela$ window$ term$ prazo$
rent: alug alquil rent$ rental$ rents$
condo: condom
deadline: praz plaz deadline term$
teacher: profess teacher
student: estud alun student
senior: idoso idosa mayores$ senior$ seniors$
adult: adult
child: crianc infant nin(o)$ nino$ ninos$ nina$ ninas$ kids$ child children$
document: declarac declaration document rg$ passaport pasaport passport$ comprovant comprobant proof$
problem: problem
result: laudo$ laudos$ resultad result$ results$
total: total
balance: saldo$ balance$
price: preco$ precos$ precio price valor$ valores$ cust cuesta cuestan$ cost costs$ caro$ cara$ barat expens cheap orcam presupuest quote$
size: tamanh tam$ talla tallas$ size sizes$
level: nivel niveis$ niveles$ level iniciante begin$$ avancad avanzad advanc
age: idade$ edad$ age$ ages$
only: unico$ unica$ only$$ ultim last$
new: lancament launch novidade$ novidades$ colecao$ coleccion$ collection$
reason: motiv razao$ razon$ reason$
exam: exame$ exames$ examen examenes$ exam$ exams$ test$$ hemogram radiograf ultras
room: quarto$ quartos$ habitac room$ rooms$ suite$ suites$ sala$ salas$
group: turma turmas$ grup group
order: pedid orden ordenes$ order$ orders$ compra$ compras$ purchase encomend
product: produt product item$ itens$ items$ article articul artig peca$ pecas$ pieza$ piezas$ mercador
parcel: pacot paquet package$ packages$ parcel$ parcels$
service: servic servici service
shop: unidade$ unidad$ unit$ loja$ lojas$ tiend shop$ shops$ store$ stores$ empresa empresas$ company$ negoc site$ sitio$ website$ aplicat app$ clinic clinica consultori escola$ escolas$ escuel school$ restaurant oficina$ taller$ workshop$ hotel$ academia$$
team: equip team$ atendente atendentes$ agente$ agentes$ agent$ agents$ asesor colega$ colegas$ colleague supervisor gerente$ gerent manager$ responsavel$ responsable$ especialist specialist setor$ departament department$ financeir suporte$$ personal$ staff$ funcionari emplead employee human$ humano$ humana$ alguem$ alguien$ someone$ somebody$ pessoa$ persona$ person$
client: client customer
account: conta$ contas$ cuenta cuentas$ account
contractnoun: contrato$ contratos$ plan$ plans$ planos$ plano$ planes$ mensalid mensualid subscription$
protocol: protocol ticket$ tickets$ chamad caso$ case$ reclama reclamo$ claim$ complaint numero$ number$ codigo$ code$
appointment: consult(a)$ consulta$ consultas$ cita$ citas$ appointment horario$ horarios$ sess sesion session aula$ aulas$ clase$ clases$ class$ classes$ visita$ visitas$ reserva$ reservas$ reservation mesa$ mesas$ table$ tables$ encaix curso$ cursos$ course$ courses$
vehicle: carro$ carros$ coche$ auto$ car$ cars$ moto$ vehicul veicul bike$ bicicl
device: charger$ chargers$ carregador cargador aparelh dispositiv device celular$ celulares$ telefone$ phone$ notebook$ laptop$ modem$ roteador$ router$ equipam
garment: vestid dress$ dresses$ calca$ calcas$ pantal pants$ camis shirt$ shirts$ blus blouse jaquet chaquet jacket saia$ falda$ skirt sapat zapat shoe shoes$ tenis$ zapatilla sneaker sneakers$ bols bag$ bags$ cint belt$ chinel sandal bermud shorts$ meia$$ meias$ casac abrig coat$ moletom
money: plata$ money$ real$ reais$
address: enderec direccion address
data: dado$ dados$ datos$ data$ info$ informac information$ details$ detalh detall
date: data$ fecha$ fechas$ date$ dates$ dia$ dias$ day$ days$ semana$ semanas$ week$ weeks$ mes$ meses$ month$ months$ ano$ anos$ year$ years$ hora$ horas$ hour$ hours$ minut
status: status$ situac estado$ andament
policy: politic polic regra regras$ regla reglas$ rule rules$ condic condition
vacation: ferias$
message: mensag mensaj message messages$ email$ emails$ correo$ correos$ mail$ link$ links$ enlace$ sms$ whatsapp$ zap$
"""

_IGNORED_MARKS: Final = "$"


def _load(block: str) -> dict[str, tuple[str, ...]]:
    concepts: dict[str, tuple[str, ...]] = {}
    for line in block.strip().splitlines():
        name, _, stems = line.partition(":")
        concepts[name.strip()] = tuple(stems.split())
    return concepts


def _index() -> tuple[dict[str, str], dict[str, str], dict[str, ConceptClass]]:
    """Whole words, stems, and the class of each concept. A stem with more than one mark or a bracket is void."""
    whole: dict[str, str] = {}
    stems: dict[str, str] = {}
    classes: dict[str, ConceptClass] = {}
    blocks: tuple[tuple[str, ConceptClass], ...] = ((_STATES, "state"), (_FACTS, "fact"), (_TOPICS, "topic"))
    for block, kind in blocks:
        for name, entries in _load(block).items():
            classes.setdefault(name, kind)
            for entry in entries:
                if entry.endswith(_IGNORED_MARKS):
                    whole.setdefault(entry[:-1], name)
                else:
                    stems.setdefault(entry, name)
    return whole, stems, classes


_WHOLE, _STEMS, CLASSES = _index()
_LONGEST: Final = max(map(len, _STEMS))
_SHORTEST: Final = min(map(len, _STEMS))


@lru_cache(maxsize=32_768)
def concept_of(word: str) -> str | None:
    """The concept that a folded word belongs to."""
    if word in _WHOLE:
        return _WHOLE[word]
    if word.startswith("re") and len(word) > 5 and word[2:] in _WHOLE:
        return _WHOLE[word[2:]]
    for length in range(min(len(word), _LONGEST), _SHORTEST - 1, -1):
        found = _STEMS.get(word[:length])
        if found:
            return found
    if word.startswith("re") and len(word) > 6:
        return concept_of(word[2:])  # done again: "reenviei"
    return None
