/* grammar.y: the shape of a line. It knows no mnemonic and no directive, and decides nothing: every action is one call into build.c.
 * Every semantic value lies in the assembler's arena, so a symbol that error recovery discards needs no destructor. */
%code requires { #include "asm.h" }
%code {
int asm_yylex(YYSTYPE *value, YYLTYPE *location, void *scanner);
static void asm_yyerror(YYLTYPE *location, struct assembler *as, void *scanner, const char *message);

#define YYLLOC_DEFAULT(current, rhs, n)                                                                                     \
    ((current) = (n) ? (struct span){YYRHSLOC(rhs, 1).begin, YYRHSLOC(rhs, n).end, YYRHSLOC(rhs, 1).line}                      \
                     : (struct span){YYRHSLOC(rhs, 0).end, YYRHSLOC(rhs, 0).end, YYRHSLOC(rhs, 0).line})
}
%define api.prefix {asm_yy}
%define api.pure full
%define api.location.type {struct span}
%define parse.error detailed
%define parse.lac full
%locations
%initial-action { @$ = (struct span){0, 0, 1}; }
%parse-param { struct assembler *as } { void *scanner }
%lex-param { void *scanner }
%expect 0

%union {
    struct expr *expr;
    struct expr_list list;
}
%token END 0 "end of text"
%token END_OF_LINE "end of line"
%token NAME "name"
%token DIRECTIVE "directive"
%token INTEGER "number"
%token REAL "real number"
%token CHARACTER "character"
%token STRING "string"
%token SHIFT_LEFT "<<"
%token SHIFT_RIGHT ">>"
%type <expr> argument value expression
%type <list> arguments argument_list items item_list place

%left '|'
%left '&'
%left SHIFT_LEFT SHIFT_RIGHT
%left '+' '-'
%left '*' '/' '%'
%precedence UNARY
%%
text:
    lines statement
  | lines error
  ;
lines:
    %empty
  | lines statement END_OF_LINE
  | lines error END_OF_LINE             { yyerrok; }
  ;
statement:
    labels
  | labels NAME arguments place         { build_instruction(as, @2, $3, $4); }
  | labels DIRECTIVE arguments place    { build_directive(as, @2, $3, $4); }
  ;
labels:
    %empty
  | labels NAME ':'                     { build_label(as, @2); }
  ;
place:
    %empty                              { $$ = (struct expr_list){0}; }
  | '@' expression                      { $$ = build_append((struct expr_list){0}, $2); }
  | '@' expression ':' expression       { $$ = build_append(build_append((struct expr_list){0}, $2), $4); }
  ;
arguments:
    %empty                              { $$ = (struct expr_list){0}; }
  | argument_list
  ;
argument_list:
    argument                            { $$ = build_append((struct expr_list){0}, $1); }
  | argument_list ',' argument          { $$ = build_append($1, $3); }
  ;
argument:
    value
  | NAME '=' value                      { $$ = build_prefixed(as, EXPR_NAMED, @$, @1, $3); }
  ;
value:
    expression
  | STRING                              { $$ = build_word(as, EXPR_STRING, @1); }
  | '[' items ']'                       { $$ = build_list(as, @$, $2); }
  ;
items:
    %empty                              { $$ = (struct expr_list){0}; }
  | item_list
  ;
item_list:
    expression                          { $$ = build_append((struct expr_list){0}, $1); }
  | item_list ',' expression            { $$ = build_append($1, $3); }
  ;
expression:
    INTEGER                             { $$ = build_integer(as, @1); }
  | REAL                                { $$ = build_real(as, @1); }
  | CHARACTER                           { $$ = build_character(as, @1); }
  | NAME                                { $$ = build_word(as, EXPR_NAME, @1); }
  | NAME '(' expression ')'             { $$ = build_prefixed(as, EXPR_CALL, @$, @1, $3); }
  | '(' expression ')'                  { $$ = $2; }
  | '-' expression %prec UNARY          { $$ = build_one_operand(as, OP_SUB, @$, $2); }
  | '+' expression %prec UNARY          { $$ = build_one_operand(as, OP_ADD, @$, $2); }
  | '~' expression %prec UNARY          { $$ = build_one_operand(as, OP_NOT, @$, $2); }
  | expression '|' expression           { $$ = build_two_operands(as, OP_OR, @$, $1, $3); }
  | expression '&' expression           { $$ = build_two_operands(as, OP_AND, @$, $1, $3); }
  | expression SHIFT_LEFT expression    { $$ = build_two_operands(as, OP_SHL, @$, $1, $3); }
  | expression SHIFT_RIGHT expression   { $$ = build_two_operands(as, OP_SHR, @$, $1, $3); }
  | expression '+' expression           { $$ = build_two_operands(as, OP_ADD, @$, $1, $3); }
  | expression '-' expression           { $$ = build_two_operands(as, OP_SUB, @$, $1, $3); }
  | expression '*' expression           { $$ = build_two_operands(as, OP_MUL, @$, $1, $3); }
  | expression '/' expression           { $$ = build_two_operands(as, OP_DIV, @$, $1, $3); }
  | expression '%' expression           { $$ = build_two_operands(as, OP_MOD, @$, $1, $3); }
  ;
%%
static void asm_yyerror(YYLTYPE *location, struct assembler *as, void *scanner, const char *message)
{
    message_syntax(as, *location, message);
}
