"""Words by which Portuguese, Spanish and English are told apart, accents folded: small ones and those of commerce.

A word that stands under two languages weighs against the third only. What all three share ("pix", "ok") stands nowhere.
"""

from __future__ import annotations

from typing import Final

SMALL: Final = {
    "pt": """
        oi ola opa eai bom boa bons boas dia noite tarde tchau obrigado obrigada obg brigado valeu vlw blz
        beleza joia nao sim voce vc voces vcs eu ele ela eles elas nos meu minha meus minhas seu sua um uma uns
        umas os do da dos das ao aos na nas pelo pela com sem em e ou mas mais muito mto ja ainda tambem tbm tb
        hoje hj amanha ontem agora onde quando quanto quanta qual quais que quem porque pq como cade isso isto
        esse essa aqui la to ta estou esta estao sou tem tenho temos queria quero gostaria posso pode fazer faco
        saber falar pedido encomenda entrega chegou chega troca trocar devolver loja preco boleto nota frete
        prazo pagamento cartao senha conta cancelar atendente alguem ninguem pessoa humano ajuda preciso duvida
        pra so tudo bem via o a blusa tenis certo errado comprei pago paguei fiz recebi veio kd qto qnto aonde
        cadê num numa nesse nessa desse dessa dele dela meia perto longe dentro fora depois antes sempre nunca
        nada algo outro outra mesmo mesma qualquer cada entre ate sobre seus suas foi era sera fui vou vai vamos
        vao liga ligar duas dois tres tinha ter ser estava fica ficou ficar quer querem podem consigo consegue
        conseguir oie oii oiee desculpa desculpe parabens natal ruim deu aff pf pfv qro ñ n dnv td fds ctz msm
        horas abre fecha mano slk bjs abraco abs
    """,
    "es": """
        hola buenos buenas dias tardes noches gracias adios si usted ustedes yo el ella ellos mi mis tu tus su
        sus un una unos unas las los del al con sin en y pero muy ya todavia aun tambien hoy manana ayer ahora
        donde cuando cuanto cuanta cual cuales que quien porque como eso esto ese esa aqui alli estoy esta estan
        soy tiene tengo tenemos queria quiero quisiera puedo puede hacer hago saber hablar pedido envio entrega
        llego llega cambio cambiar devolver tienda precio factura cuenta cancelar alguien nadie persona ayuda
        necesito duda vale bueno bien hay cuesta tarjeta pago compre recibi zapatos talla a via tal oye disculpa
        disculpe aca alla entonces despues antes siempre nunca nada algo otro otra mismo misma cualquier cada
        entre hasta sobre fue era sera fui voy va vamos van dos tres llama llamar mucho mucha tenia tener ser
        estaba queda quedo quedar quieren pueden luego pues asi mas le les lo buen chau dale orale ayudas ayudame
        ayudarme navidad felicidades felicitaciones cancelalo cancelarlo cancelala cambialo mandame quiubo horas abre
        porfa finde che
    """,
    "en": """
        hi hello hey morning afternoon evening night thanks thank thx please yes yeah yep nope the this that
        these those my your his her our their is are was were am be been do does did don't not can could would
        will should i you he she it we they where when what which who why how much many order package delivery
        shipping track refund return exchange store shop open close hours price invoice payment card cancel talk
        speak someone person human help need want have has had to of and or for with from on at by an about
        sorry bye good there still yet it's i'm what's where's a via can't won't didn't isn't i'd i've you're
        that's let's any some other same every between until before after always never nothing something now
        later soon here more less too very just only again in up out off over got any one two three call
        ty tysm pls plz nice sir madam maybe fine congrats congratulations hiya howdy
    """,
}

_ONE_WORD: Final = """
    delivery show feedback shopping look jeans cashback voucher checkout notebook book light short shorts stock free
    okay online offline site link login off top fitness shampoo streaming t-?shirt black blackout cooler upgrade outlet
    brunch sushi bluetooth
"""
_SEVERAL: Final = (
    "black friday|gift card|check-? ?in|late check-? ?out|check-? ?out|pet ?shop|coffee break|happy hour|self service|"
    "drive thru|day use|home office|smart tv|hot dog|personal trainer|milk ?shake"
)
LOANED: Final = (*_SEVERAL.split("|"), *_ONE_WORD.split())
"""English words (as patterns) that others write, too: alone they tell no language, and an answer in English to
"tem delivery?" is wrong."""

OF_COMMERCE: Final = {
    "pt": """
        rastreio rastrear rastreamento codigo segunda remessa correios transportadora atrasou atrasado atrasada
        atraso demora demorando chegar enviado enviaram saiu defeito quebrado quebrada rasgado manchado
        reembolso estorno estornar dinheiro cupom desconto promocao oferta liquidacao parcelado parcelar parcela
        parcelas vezes avista debito credito troco comprovante recibo fiscal cadastro cadastrar login entrar
        acessar endereco rua bairro cidade estado cep telefone celular horario funcionamento funciona abre abrem
        fecha fecham aberto aberta fechado feriado segunda terca quarta quinta sexta sabado domingo semana mes
        ano marcar remarcar agendar agendamento desmarcar vaga vagas consulta exame reserva reservar mesa aceita
        aceitam vende vendem entregam tamanho pequeno pequena grande cor azul preto branco vermelho camisa
        camiseta calca sapato bolsa produto estoque disponivel garantia conserto orcamento valor custa custo
        cancela cancelamento reclamacao reclamar problema suporte atendimento gerente entendi entendo perfeito
        claro otimo combinado pronto espera esperando aguardo aguardando comprar compra comprou pagar paguei
        trocar devolucao devolver errei errada mudar alterar corrigir confirmar confirmado cliente
    """,
    "es": """
        rastreo rastrear seguimiento codigo envios paquete correo transportista retraso retrasado retrasada
        demorado tarda tardan llegar enviado enviaron salio defecto roto rota rasgado manchado reembolso
        devuelvan dinero cupon descuento descuentos promocion oferta ofertas rebaja cuotas cuota contado debito
        credito vuelto comprobante recibo cuenta registro registrarme contrasena clave entrar acceder olvide
        direccion calle barrio ciudad estado codigo telefono celular movil horario abren abre cierran cierra
        abierto abierta cerrado feriado festivo lunes martes miercoles jueves viernes sabado domingo semana mes
        ano reservar reserva cita citas agendar turno mesa consulta examen aceptan acepta venden vende hacen
        entregan tamano talla pequeno pequena grande chico chica color azul negro blanco rojo camisa camiseta
        pantalon zapato zapatos bolso producto stock disponible garantia presupuesto valor cuestan costo sale
        cancelacion queja quejarme reclamo problema soporte atencion asesor gerente entiendo entendido perfecto
        claro listo espera esperando comprar compra pagar pague plazo persona cambiarlo devolucion equivocado
        equivocada modificar corregir confirmar confirmado cliente falta faltan
    """,
    "en": """
        tracking tracked carrier courier late delayed delay shipped ship ships arrive arrived arrives arriving
        sent broken damaged torn stained faulty defective refunded money back coupon discount sale promo
        promotion offer installment installments cash debit credit change receipt bill account sign log login
        register password forgot forgotten access address street city state zip phone mobile number opening
        schedule working closed holiday monday tuesday wednesday thursday friday saturday sunday week month year
        book booking appointment reschedule slot table test exam reservation accept take takes sell sells
        deliver delivers size small large big color colour blue black white red shirt pants shoe shoes bag item
        product stock available availability warranty repair quote cost costs value cancellation complaint
        complain problem issue support service manager understood perfect sure great okay ready waiting wait buy
        bought purchase pay paid wrong missing change update modify fix confirm confirmed customer client today
        tomorrow yesterday
    """,
}
